/* Which name has which address. Pure: no I/O, no allocation. Fuzzed in fuzz/. */
#include "wire.h"

#include <stdio.h>
#include <string.h>

static bool is_below(const struct suffix *suffix, const char *text, size_t length) {
  size_t dot = length - suffix->length - 1;
  return length > (size_t)suffix->length + 1 && text[dot] == '.' &&
         memcmp(text + dot + 1, suffix->text, suffix->length) == 0;
}

static bool is_below_any(const struct configuration *configuration, const char *text,
                         size_t length) {
  for (unsigned i = 0; i < configuration->suffix_count; i++)
    if (is_below(&configuration->suffixes[i], text, length)) return true;
  return false;
}

enum name_state name_find(struct name_table *table, const char *text, bool may_add,
                          uint32_t *address, unsigned *index) {
  const struct configuration *configuration = table->configuration;
  size_t length = strlen(text);
  for (unsigned i = 0; i < configuration->name_count; i++) {
    const struct name *name = &configuration->names[i];
    if (name->length != length || memcmp(name->text, text, length) != 0) continue;
    *address = name->address;
    *index = i;
    return NAME_KNOWN;
  }
  if (!name_is_plain(text, length) || !is_below_any(configuration, text, length))
    return NAME_UNKNOWN;
  unsigned at = 0;
  while (at < table->pool_used && (table->pooled[at].length != length ||
                                   memcmp(table->pooled[at].text, text, length) != 0))
    at++;
  *address = configuration->pool_address + at;
  *index = NAMES_MAX + at;
  if (at < table->pool_used || !may_add) return NAME_KNOWN;
  /* An address that was handed out may be in use for as long as the session lasts. */
  if (at >= configuration->pool_size) return NAME_POOL_FULL;
  table->pooled[at].length = (uint8_t)length;
  memcpy(table->pooled[at].text, text, length);
  table->pool_used++;
  return NAME_KNOWN;
}

size_t name_of_address(const struct name_table *table, uint32_t address,
                       char text[NAME_BYTES_MAX]) {
  const struct configuration *configuration = table->configuration;
  for (unsigned i = 0; i < configuration->name_count; i++) {
    const struct name *name = &configuration->names[i];
    if (name->address != address) continue;
    memcpy(text, name->text, name->length);
    return name->length;
  }
  uint32_t at = address - configuration->pool_address;
  if (at >= table->pool_used) return 0;
  memcpy(text, table->pooled[at].text, table->pooled[at].length);
  return table->pooled[at].length;
}

size_t ipv4_text(uint32_t address, char text[ADDRESS_TEXT_MAX]) {
  return (size_t)snprintf(text, ADDRESS_TEXT_MAX, "%u.%u.%u.%u", address >> 24,
                          address >> 16 & 255, address >> 8 & 255, address & 255);
}

/* Not inet_ntop: what it makes of a few addresses depends on the C library. */
size_t ipv6_text(const uint8_t address[16], char text[ADDRESS_TEXT_MAX]) {
  enum { GROUPS = 8 };
  unsigned gap = GROUPS, gap_length = 1; /* The first longest run of two zero groups or more. */
  for (unsigned i = 0; i < GROUPS; i++) {
    unsigned run = 0;
    while (i + run < GROUPS && read_u16(address + 2 * (i + run)) == 0) run++;
    if (run > gap_length) gap = i, gap_length = run;
  }
  size_t size = 0;
  for (unsigned i = 0; i < GROUPS;) {
    if (i == gap) {
      text[size++] = ':';
      if (i == 0) text[size++] = ':';
      i += gap_length;
      continue;
    }
    size += (size_t)snprintf(text + size, ADDRESS_TEXT_MAX - size, "%x",
                             read_u16(address + 2 * i));
    if (++i < GROUPS) text[size++] = ':';
  }
  text[size] = 0;
  return size;
}
