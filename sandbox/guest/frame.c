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
    [FRAME_QUIESCE] = {true, ON_CONTROL, 0, 0, 0},
    [FRAME_RESUME] = {true, ON_CONTROL, 0, GENERATION_BYTES, GENERATION_BYTES},
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

bool name_is_plain(const char *text, size_t length) {
  if (length == 0 || length > NAME_BYTES_MAX) return false;
  for (size_t i = 0; i < length; i++) {
    char c = text[i];
    bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    bool dot = c == '.' && i > 0 && i + 1 < length && text[i - 1] != '.';
    if (!plain && !dot) return false;
  }
  return true;
}

static bool parse_names(struct configuration *out, const uint8_t *at, const uint8_t *end) {
  enum { NAME = 5, SUFFIX = 1 };
  for (unsigned i = 0; i < out->name_count; i++) {
    if (end - at < NAME || end - at < NAME + at[4]) return false;
    out->names[i] = (struct name){read_u32(at), at[4], (const char *)at + NAME};
    if (!name_is_plain(out->names[i].text, at[4])) return false;
    at += NAME + at[4];
  }
  for (unsigned i = 0; i < out->suffix_count; i++) {
    if (end - at < SUFFIX || end - at < SUFFIX + at[0]) return false;
    out->suffixes[i] = (struct suffix){at[0], (const char *)at + SUFFIX};
    if (!name_is_plain(out->suffixes[i].text, at[0])) return false;
    at += SUFFIX + at[0];
  }
  return at == end;
}

/* flags u8 · uid u32 · gid u32 · listeners u16 · names u16 · suffixes u16 · pool address u32 ·
 * pool size u16 · for a machine: entropy, clock u64 · (target u8 · address u32 · port u16)… · (address u32 · length u8 · name)… ·
 * (length u8 · name)… */
bool configuration_parse(const uint8_t *bytes, size_t length, struct configuration *out) {
  enum { FIXED = 21, MACHINE = ENTROPY_BYTES + 8, LISTENER = 7 };
  enum { KNOWN = CONFIGURE_USER | CONFIGURE_DNS | CONFIGURE_MACHINE };
  if (length < FIXED || length > REQUEST_MAX || bytes[0] & ~KNOWN) return false;
  out->has_user = bytes[0] & CONFIGURE_USER;
  out->has_dns = bytes[0] & CONFIGURE_DNS;
  out->is_machine = bytes[0] & CONFIGURE_MACHINE;
  out->uid = read_u32(bytes + 1);
  out->gid = read_u32(bytes + 5);
  out->listener_count = read_u16(bytes + 9);
  out->name_count = read_u16(bytes + 11);
  out->suffix_count = read_u16(bytes + 13);
  out->pool_address = read_u32(bytes + 15);
  out->pool_size = read_u16(bytes + 19);
  if (out->listener_count > LISTENERS_MAX || out->name_count > NAMES_MAX) return false;
  if (out->suffix_count > SUFFIXES_MAX || out->pool_size > POOL_MAX) return false;
  if (out->pool_address > UINT32_MAX - POOL_MAX) return false;

  const uint8_t *at = bytes + FIXED, *end = bytes + length;
  out->entropy = out->is_machine ? at : NULL;
  if (out->is_machine) {
    if (end - at < MACHINE) return false;
    out->clock_us = read_u64(at + ENTROPY_BYTES);
    at += MACHINE;
  }
  for (unsigned i = 0; i < out->listener_count; i++, at += LISTENER) {
    if (end - at < LISTENER) return false;
    out->listeners[i] = (struct listener){at[0], read_u32(at + 1), read_u16(at + 5)};
    if (at[0] > TARGET_PROXY || out->listeners[i].port == 0) return false;
  }
  return parse_names(out, at, end);
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
