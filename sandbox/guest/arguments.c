/* The kernel's command line, as far as it speaks to the guest. Pure: no I/O. Fuzzed in fuzz/. */
#include "machine.h"

#include <string.h>

enum { WORD_MAX = 64 };

/* Digits only, without a sign, up to 2^53. */
static bool parse_number(const char *text, uint64_t most, uint64_t *value) {
  *value = 0;
  if (*text == 0) return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9') return false;
    *value = *value * 10 + (uint64_t)(*text - '0');
    if (*value > most) return false;
  }
  return true;
}

static bool parse_wire(const char *text, struct arguments *out) {
  uint64_t port;
  if (strncmp(text, "vsock:", 6) == 0) {
    if (!parse_number(text + 6, UINT32_MAX - 1, &port)) return false;
    out->is_vsock = true;
    out->vsock_port = (uint32_t)port;
    return true;
  }
  if (strncmp(text, "port:", 5) != 0) return false;
  size_t length = strlen(text + 5);
  if (length == 0 || length > PORT_NAME_MAX) return false;
  memcpy(out->port_name, text + 5, length + 1);
  out->is_vsock = false;
  return true;
}

static const char *value_of(const char *word, const char *name) {
  size_t length = strlen(name);
  return strncmp(word, name, length) == 0 ? word + length : NULL;
}

static bool parse_word(const char *word, struct arguments *out, bool *has_wire) {
  const uint64_t most = (uint64_t)1 << 53;
  const char *value;
  if ((value = value_of(word, "aegis.wire="))) return *has_wire = parse_wire(value, out);
  if ((value = value_of(word, "aegis.memory="))) return parse_number(value, most, &out->memory_bytes);
  if ((value = value_of(word, "aegis.pids="))) return parse_number(value, most, &out->pids);
  if ((value = value_of(word, "aegis.workspace="))) {
    out->workspace_read_only = strcmp(value, "ro") == 0;
    return out->workspace_read_only || strcmp(value, "rw") == 0;
  }
  return value_of(word, "aegis.") == NULL;
}

bool arguments_parse(const char *line, struct arguments *out, const char **bad) {
  static const char blanks[] = " \t\n";
  bool has_wire = false;
  *out = (struct arguments){0};
  for (line += strspn(line, blanks); *line; line += strspn(line, blanks)) {
    char word[WORD_MAX + 1];
    size_t length = strcspn(line, blanks);
    *bad = line;
    if (length > WORD_MAX && value_of(line, "aegis.")) return false;
    memcpy(word, line, length > WORD_MAX ? WORD_MAX : length);
    word[length > WORD_MAX ? WORD_MAX : length] = 0;
    if (!parse_word(word, out, &has_wire)) return false;
    line += length;
  }
  *bad = NULL;
  return has_wire;
}
