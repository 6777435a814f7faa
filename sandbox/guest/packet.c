/* Where a packet wants to go. Pure: no I/O, no allocation. Fuzzed in fuzz/. */
#include "wire.h"

enum { TCP = 6, UDP = 17 };

bool transport_parse(const uint8_t *bytes, size_t length, struct destination *to) {
  enum { UDP_HEADER = 8, TCP_HEADER = 20, SYN = 0x02, SYN_OR_ACK = 0x12 };
  if (length < (to->protocol == UDP ? UDP_HEADER : TCP_HEADER)) return false;
  to->port = read_u16(bytes + 2);
  return to->protocol == UDP || (to->protocol == TCP && (bytes[13] & SYN_OR_ACK) == SYN);
}

bool ipv4_parse(const uint8_t *bytes, size_t length, struct destination *to) {
  enum { LEAST = 20 };
  if (length < LEAST || bytes[0] >> 4 != 4) return false;
  size_t header = 4u * (bytes[0] & 15);
  if (header < LEAST || header > length) return false;
  *to = (struct destination){.protocol = bytes[9], .ipv4 = read_u32(bytes + 16)};
  return transport_parse(bytes + header, length - header, to);
}
