/* How often something may happen: a burst at once, then so many a second. */
#include "guest.h"

#include <time.h>

uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* `next_us` is when the next would be due at an even pace; a burst may run so far ahead of it. */
bool pace_allows(const struct pace *pace) {
  uint64_t ahead = (uint64_t)(pace->burst - 1) * 1000000 / pace->per_second;
  return pace->next_us <= now_us() + ahead;
}

void pace_spend(struct pace *pace) {
  uint64_t now = now_us();
  pace->next_us = (pace->next_us > now ? pace->next_us : now) + 1000000 / pace->per_second;
}
