/*
 * libFuzzer target for frame.c, names.c, dns-message.c, packet.c and arguments.c. The input is taken for a stream of frames, and every
 * payload also for what it could be: a request, a configuration, a path, a DNS query, a command line.
 */
#include "../machine.h"
#include "../wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_exec(const uint8_t *payload, size_t length) {
  static char *vector[VECTOR_MAX + 2];
  struct exec_request request;
  uint8_t *copy = malloc(length); /* Of this very size, so that one byte beyond is noticed. */
  if (!copy) return;
  memcpy(copy, payload, length);
  if (exec_parse(copy, length, vector, &request)) {
    size_t total = strlen(request.cwd);
    for (char **at = request.argv; *at; at++) total += strlen(*at);
    for (char **at = request.environment; *at; at++) total += strlen(*at);
    if (total > length) abort();
  }
  free(copy);
}

static void parse_configuration_and_ask(const uint8_t *payload, size_t length) {
  static struct configuration configuration;
  static struct name_table names;
  uint8_t reply[DNS_MESSAGE_MAX];
  char text[NAME_BYTES_MAX];
  struct dns_event event;
  if (!configuration_parse(payload, length, &configuration))
    configuration = (struct configuration){
        .name_count = 1,
        .suffix_count = 1,
        .pool_address = 0xc6120002,
        .pool_size = 1,
        .names = {{.address = 0xc6120001, .length = 9, .text = "known.tld"}},
        .suffixes = {{.length = 3, .text = "tld"}}};
  names.configuration = &configuration;
  names.pool_used = 0;
  for (int i = 0; i < 2; i++) {
    size_t answer = dns_answer(&names, payload, length, reply, &event);
    if (answer > sizeof reply || strlen(event.name) > NAME_BYTES_MAX) abort();
    if (names.pool_used > configuration.pool_size) abort();
    if (event.told) *event.told = true;
    volatile uint8_t last = answer > 0 ? reply[answer - 1] : 0;
    (void)last;
  }
  uint32_t address = length >= 4 ? read_u32(payload) : configuration.pool_address;
  if (name_of_address(&names, address, text) > NAME_BYTES_MAX) abort();
}

static void write_addresses(const uint8_t *payload, size_t length) {
  char text[ADDRESS_TEXT_MAX];
  if (length < 16) return;
  if (ipv6_text(payload, text) != strlen(text)) abort();
  if (ipv4_text(read_u32(payload), text) != strlen(text)) abort();
}

static void parse_packet(const uint8_t *payload, size_t length) {
  struct destination destination;
  uint8_t *copy = malloc(length);
  if (!copy) return;
  memcpy(copy, payload, length);
  if (ipv4_parse(copy, length, &destination) && destination.protocol != 6 &&
      destination.protocol != 17)
    abort();
  destination.protocol = length % 2 ? 6 : 17;
  transport_parse(copy, length, &destination);
  free(copy);
}

static void parse_path(const uint8_t *payload, size_t length) {
  char path[PATH_BYTES_MAX + 1];
  if (path_parse(payload, length, path) && (path[0] != '/' || strlen(path) != length)) abort();
}

static void parse_arguments(const uint8_t *data, size_t size) {
  struct arguments arguments;
  const char *bad;
  char *line = malloc(size + 1);
  if (!line) return;
  memcpy(line, data, size);
  line[size] = 0;
  bool fine = arguments_parse(line, &arguments, &bad);
  if (strlen(arguments.port_name) > PORT_NAME_MAX) abort();
  if (fine != (bad == NULL) && bad != NULL) abort();
  if (bad && (bad < line || bad > line + strlen(line))) abort();
  free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct frame frame;
  for (size_t at = 0; at < size;) {
    int taken = frame_parse(data + at, size - at, &frame);
    if (taken <= 0) break;
    if (frame.length > PAYLOAD_MAX || (size_t)taken > size - at) abort();
    parse_exec(frame.payload, frame.length);
    parse_configuration_and_ask(frame.payload, frame.length);
    parse_path(frame.payload, frame.length);
    at += (size_t)taken;
  }
  parse_exec(data, size);
  parse_configuration_and_ask(data, size);
  parse_path(data, size);
  write_addresses(data, size);
  parse_packet(data, size);
  parse_arguments(data, size);
  return 0;
}
