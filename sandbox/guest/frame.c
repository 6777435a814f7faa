/* Parses frames and their payloads. Pure: no I/O, no allocation, no state. Fuzzed in fuzz/. */
#include "wire.h"

#include <string.h>

enum place { ON_CONTROL, ON_HOST_CHANNEL, ON_ANY_CHANNEL };

/* What a host may send. A type that is absent here has no place and is refused. */
struct rule {
  bool known;
  enum place place;
  uint8_t flags; /* Those that may be set. */
  uint16_t least, most;
};

static const struct rule rules[] = {
    [FRAME_CONFIGURE] = {true, ON_CONTROL, FLAG_MORE, 1, PAYLOAD_MAX},
    [FRAME_PING] = {true, ON_CONTROL, 0, 8, 8},
    [FRAME_STATS] = {true, ON_CONTROL, 0, 4, 4},
    [FRAME_EXEC] = {true, ON_HOST_CHANNEL, FLAG_MORE, 1, PAYLOAD_MAX},
    [FRAME_SIGNAL] = {true, ON_HOST_CHANNEL, 0, 1, 1},
    [FRAME_RESIZE] = {true, ON_HOST_CHANNEL, 0, 4, 4},
    [FRAME_PUT] = {true, ON_HOST_CHANNEL, 0, 3, PATH_BYTES_MAX + 2},
    [FRAME_GET] = {true, ON_HOST_CHANNEL, 0, 9, PATH_BYTES_MAX + 8},
    [FRAME_DATA] = {true, ON_ANY_CHANNEL, 0, 1, PAYLOAD_MAX},
    [FRAME_END] = {true, ON_ANY_CHANNEL, 0, 0, 0},
    [FRAME_WINDOW] = {true, ON_ANY_CHANNEL, STREAM_ERROR, 4, 4},
    [FRAME_CLOSE] = {true, ON_ANY_CHANNEL, 0, 0, REASON_MAX},
};

static bool fits(enum place place, uint32_t channel) {
  switch (place) {
    case ON_CONTROL:
      return channel == 0;
    case ON_HOST_CHANNEL:
      return channel != 0 && !(channel & GUEST_CHANNEL);
    case ON_ANY_CHANNEL:
      return (channel & ~GUEST_CHANNEL) != 0;
  }
  return false;
}

int frame_parse(const uint8_t *bytes, size_t length, struct frame *frame) {
  if (length < HEADER_SIZE) return 0;
  uint8_t type = bytes[0], flags = bytes[1];
  uint16_t size = read_u16(bytes + 2);
  uint32_t channel = read_u32(bytes + 4);

  if (type >= sizeof rules / sizeof *rules || !rules[type].known) return -1;
  const struct rule *rule = &rules[type];
  if (flags & ~rule->flags) return -1;
  if (size < rule->least || size > rule->most) return -1;
  if (!fits(rule->place, channel)) return -1;

  if (length < (size_t)HEADER_SIZE + size) return 0;
  *frame = (struct frame){type, flags, channel, bytes + HEADER_SIZE, size};
  return HEADER_SIZE + size;
}

/* flags u8 · rows u16 · columns u16 · argc u16 · envc u16 · cwd NUL argv NUL … environment NUL … */
bool exec_parse(uint8_t *bytes, size_t length, char **vector, struct exec_request *request) {
  enum { FIXED = 9 };
  if (length <= FIXED || length > REQUEST_MAX || bytes[length - 1] != 0 || bytes[0] > 1)
    return false;
  unsigned argc = read_u16(bytes + 5), envc = read_u16(bytes + 7);
  if (argc == 0 || argc + envc > VECTOR_MAX) return false;

  *request = (struct exec_request){
      .terminal = bytes[0] == 1,
      .rows = read_u16(bytes + 1),
      .columns = read_u16(bytes + 3),
      .cwd = (char *)bytes + FIXED,
      .argv = vector,
      .environment = vector + argc + 1,
  };
  char *at = request->cwd, *end = (char *)bytes + length;
  at += strlen(at) + 1; /* The last byte is NUL, so no strlen leaves the request. */
  for (unsigned i = 0; i < argc + envc; i++) {
    if (at >= end) return false;
    vector[i < argc ? i : i + 1] = at;
    at += strlen(at) + 1;
  }
  vector[argc] = NULL;
  vector[argc + envc + 1] = NULL;
  return at == end && request->cwd[0] == '/' && request->argv[0][0] != 0;
}

static bool is_name(const char *text, size_t length) {
  if (length == 0 || length > NAME_BYTES_MAX) return false;
  for (size_t i = 0; i < length; i++) {
    char c = text[i];
    bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    bool dot = c == '.' && i > 0 && i + 1 < length && text[i - 1] != '.';
    if (!plain && !dot) return false;
  }
  return true;
}

/* flags u8 · uid u32 · gid u32 · listeners u16 · names u16 · (target u8 · address u32 · port u16)…
 * · (address u32 · length u8 · name)… */
bool configuration_parse(const uint8_t *bytes, size_t length, struct configuration *out) {
  enum { FIXED = 13, LISTENER = 7, NAME = 5 };
  if (length < FIXED || length > REQUEST_MAX || bytes[0] > 3) return false;
  out->has_user = bytes[0] & 1;
  out->has_dns = bytes[0] & 2;
  out->uid = read_u32(bytes + 1);
  out->gid = read_u32(bytes + 5);
  out->listener_count = read_u16(bytes + 9);
  out->name_count = read_u16(bytes + 11);
  if (out->listener_count > LISTENERS_MAX || out->name_count > NAMES_MAX) return false;

  const uint8_t *at = bytes + FIXED, *end = bytes + length;
  for (unsigned i = 0; i < out->listener_count; i++, at += LISTENER) {
    if (end - at < LISTENER) return false;
    out->listeners[i] = (struct listener){at[0], read_u32(at + 1), read_u16(at + 5)};
    if (at[0] > TARGET_TCP || out->listeners[i].port == 0) return false;
  }
  for (unsigned i = 0; i < out->name_count; i++) {
    if (end - at < NAME || end - at < NAME + at[4]) return false;
    out->names[i] = (struct name){read_u32(at), at[4], (const char *)at + NAME};
    if (!is_name(out->names[i].text, at[4])) return false;
    at += NAME + at[4];
  }
  return at == end;
}

bool path_parse(const uint8_t *bytes, size_t length, char path[PATH_BYTES_MAX + 1]) {
  if (length < 2 || length > PATH_BYTES_MAX || bytes[0] != '/') return false;
  if (memchr(bytes, 0, length)) return false;
  memcpy(path, bytes, length);
  path[length] = 0;
  for (const char *part = path + 1;; part++) {
    size_t size = strcspn(part, "/");
    if (size == 0 || (part[0] == '.' && (size == 1 || (size == 2 && part[1] == '.'))))
      return false;
    part += size;
    if (*part == 0) return true;
  }
}

/* Reads the question's name as lower-case text; returns the offset after it, 0 when malformed. */
static size_t question_name(const uint8_t *query, size_t length, char text[NAME_BYTES_MAX + 1]) {
  size_t at = 12, size = 0;
  while (at < length && query[at] != 0) {
    size_t label = query[at++];
    if (label > 63 || at + label > length || size + label + 1 > NAME_BYTES_MAX + 1) return 0;
    for (size_t i = 0; i < label; i++) {
      uint8_t c = query[at + i];
      if (c == 0 || c == '.') return 0; /* Would read as another name. */
      text[size++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    text[size++] = '.';
    at += label;
  }
  text[size > 0 ? size - 1 : 0] = 0;
  return at < length ? at + 1 : 0;
}

static const struct name *find_name(const struct configuration *table, const char *text) {
  size_t length = strlen(text);
  for (unsigned i = 0; i < table->name_count; i++) {
    const struct name *name = &table->names[i];
    if (name->length == length && memcmp(name->text, text, length) == 0) return name;
  }
  return NULL;
}

size_t dns_answer(const struct configuration *table, const uint8_t *query, size_t length,
                  uint8_t reply[DNS_MESSAGE_MAX], char denied[NAME_BYTES_MAX + 1]) {
  enum { TYPE_A = 1, CLASS_IN = 1, NXDOMAIN = 3, TTL_SECONDS = 60, ANSWER = 16 };
  denied[0] = 0;
  bool standard_query = length >= 12 && length <= DNS_MESSAGE_MAX && (query[2] & 0xf8) == 0;
  if (!standard_query || read_u16(query + 4) != 1) return 0;

  char text[NAME_BYTES_MAX + 1];
  size_t after_name = question_name(query, length, text);
  if (after_name == 0 || after_name + 4 > length) return 0;
  size_t size = after_name + 4;
  if (size + ANSWER > DNS_MESSAGE_MAX) return 0;
  bool wants_address =
      read_u16(query + after_name) == TYPE_A && read_u16(query + after_name + 2) == CLASS_IN;
  const struct name *name = find_name(table, text);
  bool answered = name && wants_address;
  if (!name && is_name(text, strlen(text))) memcpy(denied, text, strlen(text) + 1);

  memcpy(reply, query, size);
  reply[2] = (uint8_t)(0x80 | (query[2] & 1)); /* A response; "recursion desired" as asked. */
  reply[3] = (uint8_t)(0x80 | (name ? 0 : NXDOMAIN));
  write_u16(reply + 6, answered);
  write_u16(reply + 8, 0);
  write_u16(reply + 10, 0);
  if (!answered) return size;
  write_u16(reply + size, 0xc00c); /* The name of the question. */
  write_u16(reply + size + 2, TYPE_A);
  write_u16(reply + size + 4, CLASS_IN);
  write_u32(reply + size + 6, TTL_SECONDS);
  write_u16(reply + size + 10, 4);
  write_u32(reply + size + 12, name->address);
  return size + ANSWER;
}
