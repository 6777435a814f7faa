/* The kernel's random numbers and its clock, where both are the guest's to set: in a machine. */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

bool entropy_is_there(void) {
  uint8_t byte;
  return getrandom(&byte, 1, GRND_NONBLOCK) == 1;
}

static int add(int fd, const uint8_t entropy[ENTROPY_BYTES]) {
  struct {
    struct rand_pool_info head;
    uint8_t bytes[ENTROPY_BYTES];
  } pool = {.head = {.entropy_count = 8 * ENTROPY_BYTES, .buf_size = ENTROPY_BYTES}};
  memcpy(pool.head.buf, entropy, ENTROPY_BYTES);
  int error = ioctl(fd, RNDADDENTROPY, &pool) == 0 ? 0 : errno;
  explicit_bzero(&pool, sizeof pool);
  return error;
}

struct reseed reseed(const uint8_t entropy[ENTROPY_BYTES], uint64_t clock_us) {
  struct reseed result = {0};
  const struct timespec now = {.tv_sec = (time_t)(clock_us / 1000000),
                               .tv_nsec = (long)(clock_us % 1000000) * 1000};
  int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
  result.entropy = fd < 0 ? errno : add(fd, entropy);
  /* Adding alone would be taken up at the generator's next turn, up to a minute later. */
  result.reseed = fd >= 0 && ioctl(fd, RNDRESEEDCRNG) == 0 ? 0 : errno;
  result.clock = clock_settime(CLOCK_REALTIME, &now) == 0 ? 0 : errno;
  ssize_t n = getrandom(result.bytes, PROOF_BYTES, GRND_NONBLOCK);
  result.proof = n == PROOF_BYTES ? 0 : n < 0 ? errno : EIO;
  if (fd >= 0) close(fd);
  return result;
}
