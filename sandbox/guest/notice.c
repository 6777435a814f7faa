/* What the guest saw and the host may want to record. At a pace, so that nobody can fill a log. */
#include "guest.h"

#include <string.h>

static const struct pace paces[NOTICE_KINDS] = {
    [NOTICE_DNS_DENIED] = {.burst = 20, .per_second = 10},
    [NOTICE_DNS_ANSWERED] = {.burst = 100, .per_second = 10},
    [NOTICE_CONNECT_DENIED] = {.burst = 20, .per_second = 10},
};

void notices_begin(struct guest *guest) {
  for (unsigned kind = 0; kind < NOTICE_KINDS; kind++) guest->notices[kind].pace = paces[kind];
}

bool notice_may_send(const struct guest *guest, uint8_t kind) {
  return output_has_room(&guest->output, NOTICE_BYTES_MAX) && pace_allows(&guest->notices[kind].pace);
}

/* A client asks for several types of record of a name, and tries an address more than once. */
static bool was_just_told(const struct notice *last, const uint8_t *payload, size_t length) {
  enum { ONE_ATTEMPT_US = 1000000 };
  return last->length == length && memcmp(last->payload, payload, length) == 0 &&
         now_us() - last->at_us < ONE_ATTEMPT_US;
}

bool notice_send(struct guest *guest, uint8_t kind, const void *payload, size_t length) {
  struct notice *last = &guest->notices[kind];
  if (was_just_told(last, payload, length)) return true;
  if (!notice_may_send(guest, kind)) return false;
  pace_spend(&last->pace);
  uint8_t frame[1 + NOTICE_BYTES_MAX];
  frame[0] = kind;
  memcpy(frame + 1, payload, length);
  output_frame(&guest->output, FRAME_NOTICE, 0, 0, frame, 1 + length);
  memcpy(last->payload, payload, length);
  last->length = length;
  last->at_us = now_us();
  return true;
}
