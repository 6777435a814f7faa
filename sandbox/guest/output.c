/* Frames on their way to the host: a bounded buffer, written when the host takes it. */
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Kept free beside payloads, so that a few answers always fit. */
enum { SPARE = 4096 };

bool output_has_room(const struct output *output, size_t payload) {
  size_t used = output->end - output->start;
  return used + HEADER_SIZE + payload + SPARE <= sizeof output->bytes;
}

static void make_room(struct output *output, size_t size) {
  if (output->end + size <= sizeof output->bytes) return;
  memmove(output->bytes, output->bytes + output->start, output->end - output->start);
  output->end -= output->start;
  output->start = 0;
  /* Everybody asks for room first, so this is a mistake in the guest: stop before it writes. */
  if (output->end + size > sizeof output->bytes) abort();
}

uint8_t *output_reserve(struct output *output) {
  make_room(output, FRAME_MAX);
  return output->bytes + output->end + HEADER_SIZE;
}

void output_commit(struct output *output, uint8_t type, uint8_t flags, uint32_t channel,
                   size_t length) {
  uint8_t *header = output->bytes + output->end;
  header[0] = type;
  header[1] = flags;
  write_u16(header + 2, (uint16_t)length);
  write_u32(header + 4, channel);
  output->end += HEADER_SIZE + length;
}

void output_frame(struct output *output, uint8_t type, uint8_t flags, uint32_t channel,
                  const void *payload, size_t length) {
  make_room(output, HEADER_SIZE + length);
  if (length > 0) memcpy(output->bytes + output->end + HEADER_SIZE, payload, length);
  output_commit(output, type, flags, channel, length);
}

/* No more at a time than a frame: a device of vsock was seen to stall for good on 64 KiB. */
bool output_flush(struct output *output) {
  while (output->start < output->end) {
    size_t left = output->end - output->start;
    ssize_t n = write(output->fd, output->bytes + output->start, left < FRAME_MAX ? left : FRAME_MAX);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    output->start += (size_t)n;
  }
  output->start = output->end = 0;
  return true;
}
