/* DNS messages: one question in, one answer out. Pure: no I/O, no allocation. Fuzzed in fuzz/. */
#include "wire.h"

#include <string.h>

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

static void note(struct dns_event *event, uint8_t notice, const char *name) {
  size_t length = strlen(name);
  if (!name_is_plain(name, length)) return; /* Nothing that could garble a log. */
  event->notice = notice;
  memcpy(event->name, name, length + 1);
}

size_t dns_answer(struct name_table *names, const uint8_t *query, size_t length,
                  uint8_t reply[DNS_MESSAGE_MAX], struct dns_event *event) {
  enum { TYPE_A = 1, CLASS_IN = 1, SERVFAIL = 2, NXDOMAIN = 3, TTL_SECONDS = 60, ANSWER = 16 };
  *event = (struct dns_event){0};
  bool standard_query = length >= 12 && length <= DNS_MESSAGE_MAX && (query[2] & 0xf8) == 0;
  if (!standard_query || read_u16(query + 4) != 1) return 0;

  char text[NAME_BYTES_MAX + 1];
  size_t after_name = question_name(query, length, text);
  if (after_name == 0 || after_name + 4 > length) return 0;
  size_t size = after_name + 4;
  if (size + ANSWER > DNS_MESSAGE_MAX) return 0;
  bool wants_address =
      read_u16(query + after_name) == TYPE_A && read_u16(query + after_name + 2) == CLASS_IN;
  uint32_t address;
  unsigned index;
  enum name_state state = name_find(names, text, wants_address, &address, &index);
  bool answered = state == NAME_KNOWN && wants_address;
  if (state != NAME_KNOWN) note(event, NOTICE_DNS_DENIED, text);
  else if (answered && !names->told[index]) note(event, NOTICE_DNS_ANSWERED, text);
  if (answered) event->told = &names->told[index];

  static const uint8_t codes[] = {
      [NAME_KNOWN] = 0, [NAME_UNKNOWN] = NXDOMAIN, [NAME_POOL_FULL] = SERVFAIL};
  memcpy(reply, query, size);
  reply[2] = (uint8_t)(0x80 | (query[2] & 1)); /* A response; "recursion desired" as asked. */
  reply[3] = (uint8_t)(0x80 | codes[state]);
  write_u16(reply + 6, answered);
  write_u16(reply + 8, 0);
  write_u16(reply + 10, 0);
  if (!answered) return size;
  write_u16(reply + size, 0xc00c); /* The name of the question. */
  write_u16(reply + size + 2, TYPE_A);
  write_u16(reply + size + 4, CLASS_IN);
  write_u32(reply + size + 6, TTL_SECONDS);
  write_u16(reply + size + 10, 4);
  write_u32(reply + size + 12, address);
  return size + ANSWER;
}
