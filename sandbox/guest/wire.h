/*
 * The guest's half of the wire protocol: constants, and parsers that touch nothing but the bytes
 * they are given. docs/reference/wire-protocol.md is the specification; change it first.
 */
#ifndef AEGIS_WIRE_H
#define AEGIS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  PROTOCOL_VERSION = 4,
  HELLO_MAGIC = 0x41454749, /* "AEGI" */

  FRAME_MAX = 32768,
  HEADER_SIZE = 8,
  PAYLOAD_MAX = FRAME_MAX - HEADER_SIZE,

  REQUEST_MAX = 1 << 20, /* One EXEC or CONFIGURE, all its fragments together. */
  VECTOR_MAX = 4096,     /* argv and environment together. */
  PATH_BYTES_MAX = 4095,
  REASON_MAX = 64,
  LISTENERS_MAX = 64,
  NAMES_MAX = 1024,
  SUFFIXES_MAX = 128,
  POOL_MAX = 1024, /* Names below suffixes, in a whole session. */
  NAME_BYTES_MAX = 253,
  ENTROPY_BYTES = 64,    /* From the host, for a machine. */
  PROOF_BYTES = 32,      /* Of the generator, after it took them. */
  GENERATION_BYTES = 16, /* Names one life of a machine that came out of a snapshot. */

  HOST_CHANNELS_MAX = 64,
  RELAY_CHANNELS_MAX = 256,
  RELAYS_PER_SECOND = 1000, /* And as many as there are channels at once. */

  WINDOW_SMALL = 64 * 1024,       /* To the guest: input of commands, content of files. */
  WINDOW_LARGE = 256 * 1024,      /* From the guest: output of commands, content of files. */
  WINDOW_CONNECTION = 256 * 1024, /* In each direction. */
  DATA_COST_MIN = 256,       /* What even the smallest DATA frame takes from the window. */
};

/* Channels that the guest opens have this bit, channels that the host opens have not. */
#define GUEST_CHANNEL 0x80000000u

enum frame_type {
  FRAME_HELLO = 1,
  FRAME_CONFIGURE = 2,
  FRAME_CONFIGURED = 3,
  FRAME_PING = 4,
  FRAME_PONG = 5,
  FRAME_STATS = 6,
  FRAME_STATS_REPLY = 7,
  FRAME_NOTICE = 8,
  FRAME_QUIESCE = 9,
  FRAME_QUIET = 10,
  FRAME_RESUME = 11,

  FRAME_EXEC = 16,
  FRAME_STARTED = 17,
  FRAME_EXIT = 18,
  FRAME_SIGNAL = 19,
  FRAME_RESIZE = 20,
  FRAME_PUT = 21,
  FRAME_GET = 22,
  FRAME_CONNECT = 23,

  FRAME_DATA = 32,
  FRAME_END = 33,
  FRAME_WINDOW = 34,
  FRAME_CLOSE = 35,
};

enum { FLAG_MORE = 1 };                  /* EXEC, CONFIGURE: another fragment follows. */
enum { STREAM_MAIN = 0, STREAM_ERROR = 1 }; /* DATA, END, WINDOW: which stream of the channel. */
enum { NOTICE_DNS_DENIED = 1, NOTICE_DNS_ANSWERED = 2, NOTICE_CONNECT_DENIED = 3 };
enum { TARGET_AGENT_API = 0, TARGET_TCP = 1, TARGET_PROXY = 2 };
enum {
  HELLO_INIT = 1,
  HELLO_TERMINAL = 2,
  HELLO_MACHINE = 4, /* The kernel is its own. */
  HELLO_ENTROPY = 8, /* That kernel's generator is seeded already. */
  HELLO_RESTORED = 16,
};
enum { CONFIGURE_USER = 1, CONFIGURE_DNS = 2, CONFIGURE_MACHINE = 4 };
enum { CONFIGURED_DNS = 1, CONFIGURED_MACHINE = 2 };
enum { EXIT_CODE = 0, EXIT_SIGNAL = 1 };
enum { EXIT_DISK_FULL = 1, EXIT_OOM_KILL = 2, EXIT_PIDS_REFUSED = 4 };

struct frame {
  uint8_t type;
  uint8_t flags;
  uint32_t channel;
  const uint8_t *payload;
  uint32_t length;
};

/*
 * Reads one frame that the host sent. Returns the bytes it takes, 0 when more are needed, -1 when
 * no continuation could make it a frame that a host may send.
 */
int frame_parse(const uint8_t *bytes, size_t length, struct frame *frame);

struct exec_request {
  bool terminal;
  uint16_t rows, columns;
  char *cwd;
  char **argv; /* Both end with NULL and point into the request. */
  char **environment;
};

/* `vector` has room for VECTOR_MAX + 2 pointers. False: not a request. */
bool exec_parse(uint8_t *bytes, size_t length, char **vector, struct exec_request *request);

struct listener {
  uint8_t target;
  uint32_t address; /* Host byte order, as all numbers here; 0 is any, of IPv6 too. */
  uint16_t port;
};

struct name {
  uint32_t address;
  uint8_t length;
  const char *text; /* Lower case, no trailing dot, no NUL. */
};

struct suffix {
  uint8_t length;
  const char *text;
};

struct configuration {
  bool has_user, has_dns, is_machine;
  uint64_t clock_us;       /* Since 1970; as the entropy only for a machine. */
  const uint8_t *entropy;
  uint32_t uid, gid, pool_address;
  unsigned listener_count, name_count, suffix_count, pool_size;
  struct listener listeners[LISTENERS_MAX];
  struct name names[NAMES_MAX];
  struct suffix suffixes[SUFFIXES_MAX];
};

/* The names point into `bytes`, which must stay. */
bool configuration_parse(const uint8_t *bytes, size_t length, struct configuration *configuration);

/* Checks an absolute path without `.`, `..`, empty parts and NUL; copies it with a final NUL. */
bool path_parse(const uint8_t *bytes, size_t length, char path[PATH_BYTES_MAX + 1]);

/* Lower case, digits, `-`, `_`, inner dots. */
bool name_is_plain(const char *text, size_t length);

/* ---- names.c: which name has which address ---- */

struct pooled_name {
  uint8_t length;
  char text[NAME_BYTES_MAX];
};

/* What is fixed stands in the configuration; names below suffixes come as they are asked for. */
struct name_table {
  const struct configuration *configuration;
  unsigned pool_used;
  struct pooled_name pooled[POOL_MAX];
  bool told[NAMES_MAX + POOL_MAX]; /* Whether the host knows that it was answered. */
};

enum name_state { NAME_UNKNOWN, NAME_KNOWN, NAME_POOL_FULL };

/* For a known name: its address and its index in `told`. Takes one from the pool if `may_add`. */
enum name_state name_find(struct name_table *table, const char *text, bool may_add,
                          uint32_t *address, unsigned *index);
/* The name that has this address: its length, 0 when none has. Not terminated. */
size_t name_of_address(const struct name_table *table, uint32_t address,
                       char text[NAME_BYTES_MAX]);

enum { ADDRESS_TEXT_MAX = 40 };
/* RFC 5952, all in hexadecimal. Returns the length. */
size_t ipv6_text(const uint8_t address[16], char text[ADDRESS_TEXT_MAX]);
size_t ipv4_text(uint32_t address, char text[ADDRESS_TEXT_MAX]);

/* ---- dns-message.c ---- */

/* What the host may want to know of a question. */
struct dns_event {
  uint8_t notice; /* 0: nothing. */
  bool *told;     /* For an answer: to be set once it was told. */
  char name[NAME_BYTES_MAX + 1];
};

/*
 * Answers one DNS query: an address for a name that has one, NXDOMAIN for all others. Returns the
 * length of the reply, 0 when the query deserves none.
 */
enum { DNS_MESSAGE_MAX = 512 };
size_t dns_answer(struct name_table *names, const uint8_t *query, size_t length,
                  uint8_t reply[DNS_MESSAGE_MAX], struct dns_event *event);

/* ---- packet.c ---- */

/* Where a program in the sandbox wanted to go. */
struct destination {
  uint8_t protocol; /* 6 TCP, 17 UDP. */
  bool is_ipv6;
  uint32_t ipv4;
  uint8_t ipv6[16];
  uint16_t port;
};

/* Reads a packet of IPv4. False unless it opens a TCP connection or is UDP. */
bool ipv4_parse(const uint8_t *bytes, size_t length, struct destination *destination);
/* The same from behind the header of IP on; the protocol is known. */
bool transport_parse(const uint8_t *bytes, size_t length, struct destination *destination);

static inline uint16_t read_u16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static inline uint32_t read_u32(const uint8_t *at) {
  return (uint32_t)read_u16(at) << 16 | read_u16(at + 2);
}
static inline uint64_t read_u64(const uint8_t *at) {
  return (uint64_t)read_u32(at) << 32 | read_u32(at + 4);
}
static inline void write_u16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}
static inline void write_u32(uint8_t *at, uint32_t value) {
  write_u16(at, (uint16_t)(value >> 16));
  write_u16(at + 2, (uint16_t)value);
}
static inline void write_u64(uint8_t *at, uint64_t value) {
  write_u32(at, (uint32_t)(value >> 32));
  write_u32(at + 4, (uint32_t)value);
}

#endif
