/*
 * Takes the guest's place and breaks the wire protocol in the way that the test writes into its copy of
 * this program. As the first process of a machine it finds the wire by itself, as the guest does.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile char mode_in_file[] = "MODEMODEMODEMODEMODEMODEMODEMODE";
static char mode[sizeof mode_in_file];

enum {
  HELLO = 1, CONFIGURED = 3, PING = 4, PONG = 5, STATS_REPLY = 7, NOTICE = 8, EXEC = 16, STARTED = 17,
  EXIT = 18, GET = 22, CONNECT = 23, DATA = 32, END = 33, WINDOW = 34, CLOSE = 35
};
enum { SESSION = 0, STDERR = 1, ENTROPY_AT = 21, PROOF = 32, HEADER = 8, LONGEST = 65536 };

static bool is_machine;
static const uint8_t zeros[LONGEST];
static uint8_t configure[LONGEST]; /* What the host sent. */

/* ---- frames ---- */

static uint8_t out[1 << 18];
static size_t out_size;

static void put(const void *bytes, size_t size) {
  memcpy(out + out_size, bytes, size);
  out_size += size;
}
static void put_header(uint8_t type, uint8_t flags, uint32_t channel, size_t length) {
  const uint8_t header[HEADER] = {type,          flags,         length >> 8,  length,
                                  channel >> 24, channel >> 16, channel >> 8, channel};
  put(header, sizeof header);
}
static void put_frame(uint8_t type, uint32_t channel, const void *payload, size_t size) {
  put_header(type, 0, channel, size);
  put(payload, size);
}
static void send_all(void) {
  for (size_t at = 0; at < out_size;) {
    ssize_t n = write(1, out + at, out_size - at);
    if (n > 0) at += (size_t)n;
    else _exit(0);
  }
  out_size = 0;
}
static void send_frame(uint8_t type, uint32_t channel, const void *payload, size_t size) {
  put_frame(type, channel, payload, size);
  send_all();
}
static _Noreturn void sleep_forever(void) {
  for (;;) pause();
}
static _Noreturn void flood(uint8_t type, uint32_t channel, const void *payload, size_t size) {
  for (;;) send_frame(type, channel, payload, size);
}
static _Noreturn void flood_bytes(const void *bytes, size_t size) {
  for (;;) put(bytes, size), send_all();
}

/* Not even the end of the wire makes it leave. */
static void receive_bytes(uint8_t *bytes, size_t size) {
  for (size_t at = 0; at < size;) {
    ssize_t n = read(0, bytes + at, size - at);
    if (n <= 0) sleep_forever();
    at += (size_t)n;
  }
}
static size_t receive(uint8_t *type, uint32_t *channel, uint8_t payload[LONGEST]) {
  uint8_t header[HEADER];
  receive_bytes(header, sizeof header);
  const size_t length = (size_t)header[2] << 8 | header[3];
  *type = header[0];
  *channel = (uint32_t)header[4] << 24 | header[5] << 16 | header[6] << 8 | header[7];
  receive_bytes(payload, length);
  return length;
}

/* ---- the first words ---- */

static void put_hello(uint8_t version) {
  const uint8_t features = is_machine ? 7 : 3;
  put_frame(HELLO, SESSION, (const uint8_t[]){'A', 'E', 'G', 'I', 0, version, 0, features}, 8);
}

/* DNS answers, and one listener is open. A machine shows what it makes of the entropy, and its steps. */
static void put_configured(const uint8_t proof[PROOF], const char *words) {
  put_header(CONFIGURED, 0, SESSION, 2 + (proof ? PROOF : 0) + strlen(words));
  put((const uint8_t[]){proof ? 3 : 1, 1}, 2);
  if (proof) put(proof, PROOF);
  put(words, strlen(words));
}
static void put_usual_configured(void) {
  if (is_machine) put_configured(configure + ENTROPY_AT, "OK OK OK OK OK");
  else put_configured(NULL, "OK");
}

/* ---- before anything is trusted ---- */

static void garbage(void) {
  static const char text[] = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
  flood_bytes(text, sizeof text - 1);
}
static void zero_flood(void) { flood_bytes(zeros, sizeof zeros); }
static void leave(void) { _exit(3); }
static void future_version(void) { put_hello(99), send_all(); }
static void hello_and_hang(void) {
  put_hello(4), send_all();
  sleep_forever();
}
static void half_a_hello(void) {
  put_hello(4);
  out_size -= 5;
  send_all();
  sleep_forever();
}

/* ---- instead of CONFIGURED, in a machine ---- */

static void reseed_refused(void) {
  put_configured(configure + ENTROPY_AT, "OK EPERM OK OK OK"), send_all();
  sleep_forever();
}
static void no_reseed(void) {
  put_configured(NULL, "OK"), send_all();
  sleep_forever();
}
/* The first one is fine. */
static void same_numbers(void) {
  put_configured((const uint8_t *)"the same thirty-two bytes for all", "OK OK OK OK OK"), send_all();
  sleep_forever();
}

/* ---- after the hello ---- */

static void vanish(void) { _exit(0); }
static void hello_again(void) { put_hello(4), send_all(); }
static void configured_again(void) { put_usual_configured(), send_all(); }
static void oversized_frame(void) {
  put_header(DATA, 0, 1, 65535);
  put("x", 1), send_all();
}
static void connect_flood(void) {
  for (uint32_t count = 1; count < 5000; count++) send_frame(CONNECT, 0x80000000u + count, zeros, 3);
}
static void connect_twice(void) {
  for (int i = 0; i < 2; i++) send_frame(CONNECT, 0x80000001u, zeros, 3);
}
static void connections_notices(void) {
  flood(NOTICE, SESSION, (const uint8_t[]){3, 6, 4, 0, 80, 8, 8, 8, 8}, 9);
}
static void notices(void) { flood(NOTICE, SESSION, "\x01" "a.example", 10); }

/* ---- on the first command ---- */

static void start(uint32_t channel) { put_frame(STARTED, channel, NULL, 0); }
static void put_exit(uint32_t channel) { put_frame(EXIT, channel, zeros, 28); }
static void started_twice(uint32_t channel) { start(channel), start(channel), send_all(); }
static void output_before_start(uint32_t channel) { send_frame(DATA, channel, "x", 1); }
static void huge_credit(uint32_t channel) {
  start(channel);
  flood(WINDOW, channel, "\x7f\xff\xff\xff", 4);
}
static void negative_credit(uint32_t channel) {
  start(channel);
  send_frame(WINDOW, channel, "\xff\xff\xff\xff", 4);
}
static void zero_credit(uint32_t channel) {
  start(channel);
  send_frame(WINDOW, channel, zeros, 4);
}
static void ignore_window(uint32_t channel) {
  start(channel);
  flood(DATA, channel, zeros, 32760);
}
static void crumb_flood(uint32_t channel) {
  start(channel);
  flood(DATA, channel, "x", 1);
}
static void data_after_end(uint32_t channel) {
  start(channel);
  put_frame(END, channel, NULL, 0);
  send_frame(DATA, channel, "x", 1);
}
static void exit_twice(uint32_t channel) {
  start(channel);
  put_frame(END, channel, NULL, 0);
  put_header(END, STDERR, channel, 0);
  put_exit(channel), put_exit(channel), send_all();
}
static void odd_exit(uint32_t channel) {
  static uint8_t ones[28];
  memset(ones, 255, sizeof ones);
  start(channel);
  send_frame(EXIT, channel, ones, sizeof ones);
}

static const struct {
  const char *mode;
  void (*before_hello)(void), (*instead_of_configured)(void), (*after_hello)(void);
  void (*on_command)(uint32_t channel);
} modes[] = {
    {"silent", .before_hello = sleep_forever},
    {"garbage", .before_hello = garbage},
    {"zeros", .before_hello = zero_flood},
    {"leave", .before_hello = leave},
    {"future-version", .before_hello = future_version},
    {"hello-and-hang", .before_hello = hello_and_hang},
    {"half-a-hello", .before_hello = half_a_hello},
    {"reseed-refused", .instead_of_configured = reseed_refused},
    {"no-reseed", .instead_of_configured = no_reseed},
    {"same-numbers", .instead_of_configured = same_numbers},
    {"vanish", .after_hello = vanish},
    {"ignore-pings", .after_hello = sleep_forever},
    {"hello-again", .after_hello = hello_again},
    {"configured-again", .after_hello = configured_again},
    {"oversized-frame", .after_hello = oversized_frame},
    {"connect-flood", .after_hello = connect_flood},
    {"connect-twice", .after_hello = connect_twice},
    {"notice-of-connections-flood", .after_hello = connections_notices},
    {"notice-flood", .after_hello = notices},
    {"started-twice", .on_command = started_twice},
    {"output-before-start", .on_command = output_before_start},
    {"huge-credit", .on_command = huge_credit},
    {"negative-credit", .on_command = negative_credit},
    {"zero-credit", .on_command = zero_credit},
    {"ignore-window", .on_command = ignore_window},
    {"crumb-flood", .on_command = crumb_flood},
    {"data-after-end", .on_command = data_after_end},
    {"exit-twice", .on_command = exit_twice},
    {"odd-exit", .on_command = odd_exit},
};

/* Those that are one frame after the hello. */
#define ONE(mode, type, channel, text) {mode, type, channel, text, sizeof text - 1}
static const struct {
  const char *mode;
  uint8_t type;
  uint32_t channel;
  const char *payload;
  size_t size;
} frames[] = {
    ONE("unknown-type", 99, SESSION, ""),
    {"host-frame", EXEC, 5, (const char *)zeros, 32},
    ONE("data-on-no-channel", DATA, 77, "x"),
    ONE("data-on-session", DATA, SESSION, "x"),
    {"exit-of-nothing", EXIT, 12, (const char *)zeros, 28},
    {"pong-to-nobody", PONG, SESSION, (const char *)zeros, 8},
    {"stats-to-nobody", STATS_REPLY, SESSION, (const char *)zeros, 48},
    {"connect-on-host-channel", CONNECT, 3, (const char *)zeros, 3},
    ONE("connect-to-nonsense", CONNECT, 0x80000001u, "\x09\xff\xff"),
    ONE("connect-to-odd-name", CONNECT, 0x80000001u, "\x01\x00\x50" "A.example"),
    ONE("connect-to-line-break", CONNECT, 0x80000001u, "\x01\x00\x50" "a.example\r\nx"),
    ONE("connect-to-odd-address", CONNECT, 0x80000001u, "\x01\x00\x50" "127.1"),
    ONE("connect-through-proxy", CONNECT, 0x80000001u, "\x02\x00\x50" "a.example"),
    ONE("notice-of-nothing", NOTICE, SESSION, "\x09" "a.example"),
    ONE("notice-of-half-an-address", NOTICE, SESSION, "\x03\x06\x06\x00\x50\x01\x02\x03\x04"),
    ONE("notice-with-controls", NOTICE, SESSION, "\x01\x1b[2Jx\n"),
};

/* ---- as the first process of a machine ---- */

static bool is_wire(const char *port) {
  char path[300], name[32] = "";
  snprintf(path, sizeof path, "/sys/class/virtio-ports/%.99s/name", port);
  int fd = open(path, O_RDONLY);
  if (fd < 0) return false;
  ssize_t n = read(fd, name, sizeof name - 1);
  close(fd);
  return n > 0 && strncmp(name, "aegis.wire", 10) == 0;
}

static int open_port(void) {
  DIR *ports = opendir("/sys/class/virtio-ports");
  int fd = -1;
  for (struct dirent *entry; ports && fd < 0 && (entry = readdir(ports));) {
    char path[120];
    snprintf(path, sizeof path, "/dev/%.99s", entry->d_name);
    if (entry->d_name[0] != '.' && is_wire(entry->d_name)) fd = open(path, O_RDWR);
  }
  if (ports) closedir(ports);
  return fd;
}

static void find_wire(void) {
  int fd;
  mount("proc", "/proc", "proc", 0, NULL);
  mount("sysfs", "/sys", "sysfs", 0, NULL);
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
  while ((fd = open_port()) < 0) usleep(2000);
  struct pollfd held = {.fd = fd, .events = POLLOUT};
  while (poll(&held, 1, 0) < 1 || held.revents & POLLHUP) usleep(2000);
  dup2(fd, 0);
  dup2(fd, 1);
}

/* ---- */

/* A file is the list of interfaces, from which a host sees that a container has no network. */
static void give_file(uint32_t channel) {
  static const char file[] = "    lo: 0 0\n";
  put_frame(DATA, channel, file, sizeof file - 1);
  put_frame(END, channel, NULL, 0);
  send_frame(CLOSE, channel, NULL, 0);
}

/* Answers pings and gives files until the host wants a command, and returns the command's channel. */
static uint32_t await_command(void) {
  static uint8_t payload[LONGEST];
  const bool gives = strcmp(mode, "keep-files") != 0;
  for (;;) {
    uint8_t type;
    uint32_t channel;
    const size_t size = receive(&type, &channel, payload);
    if (type == PING) send_frame(PONG, SESSION, payload, size);
    if (type == GET && gives) give_file(channel);
    if (type == EXEC) return channel;
  }
}

int main(void) {
  for (size_t i = 0; i < sizeof mode; i++) mode[i] = mode_in_file[i];
  is_machine = getpid() == 1 && access("/proc/self", F_OK) != 0;
  if (is_machine) find_wire();
  size_t at = 0, frame = 0;
  enum { MODES = sizeof modes / sizeof *modes, FRAMES = sizeof frames / sizeof *frames };
  while (at < MODES && strcmp(modes[at].mode, mode) != 0) at++;
  while (frame < FRAMES && strcmp(frames[frame].mode, mode) != 0) frame++;

  uint8_t type;
  uint32_t channel;
  if (at < MODES && modes[at].before_hello) modes[at].before_hello();
  put_hello(4), send_all();
  receive(&type, &channel, configure);
  if (at < MODES && modes[at].instead_of_configured) modes[at].instead_of_configured();
  put_usual_configured(), send_all();
  if (frame < FRAMES)
    send_frame(frames[frame].type, frames[frame].channel, frames[frame].payload, frames[frame].size);
  if (at < MODES && modes[at].after_hello) modes[at].after_hello();
  channel = await_command();
  if (at < MODES && modes[at].on_command) modes[at].on_command(channel);
  sleep_forever();
}
