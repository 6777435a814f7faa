/* Files in and out, with the file rights of the agent's user rather than the guest's own. */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

/* A symbolic link that the agent planted then opens nothing that the agent could not open. */
static void as_agent(const struct guest *guest) {
  if (!guest->configuration.has_user) return;
  setfsgid(guest->configuration.gid);
  setfsuid(guest->configuration.uid);
}

static void as_guest(const struct guest *guest) {
  if (!guest->configuration.has_user) return;
  setfsuid(geteuid());
  setfsgid(getegid());
}

static int make_parents(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    int failed = mkdir(path, 0755) < 0 && errno != EEXIST && errno != EROFS;
    *slash = '/';
    if (failed) return -1;
  }
  return 0;
}

/* The content grows under another name, so that the file appears whole or not at all. */
static char *partial_name(const char *path, uint32_t id) {
  int directory = (int)(strrchr(path, '/') - path) + 1;
  char *partial = NULL;
  return asprintf(&partial, "%.*s.aegis-put-%x", directory, path, id) < 0 ? NULL : partial;
}

static int open_partial(struct guest *guest, struct channel *channel) {
  if (!channel->path || !channel->partial) {
    errno = ENOMEM;
    return -1;
  }
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  as_agent(guest);
  int fd = open(channel->partial, flags, 0600);
  if (fd < 0 && errno == ENOENT && make_parents(channel->path) == 0)
    fd = open(channel->partial, flags, 0600);
  int error = errno;
  as_guest(guest);
  errno = error;
  return fd;
}

static void forget(struct channel *channel) {
  free(channel->path);
  free(channel->partial);
  channel->path = channel->partial = NULL;
}

/* Drops an unfinished transfer; later DATA is swallowed. */
void file_abandon(struct channel *channel) {
  if (channel->file >= 0) close(channel->file);
  if (channel->file >= 0 && channel->partial) unlink(channel->partial);
  channel->file = channel->out[0].fd = -1;
  forget(channel);
}

static void fail(struct guest *guest, struct channel *channel, const char *step, int error) {
  file_abandon(channel);
  channel_close(guest, channel, step, error);
}

void put_start(struct guest *guest, uint32_t id, const uint8_t *payload, size_t length) {
  char path[PATH_BYTES_MAX + 1];
  uint16_t mode = read_u16(payload);
  if (mode > 0777 || !path_parse(payload + 2, length - 2, path)) guest_exit(guest, "malformed PUT");
  struct channel *channel = channel_open(guest, CHANNEL_PUT, id);
  channel->mode = mode;
  channel->path = strdup(path);
  channel->partial = partial_name(path, id);
  channel->file = open_partial(guest, channel);
  if (channel->file < 0) fail(guest, channel, "open", errno);
}

void put_data(struct guest *guest, struct channel *channel, const uint8_t *bytes, size_t length) {
  while (channel->file >= 0 && length > 0) {
    ssize_t n = write(channel->file, bytes, length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      fail(guest, channel, "write", errno);
      return;
    }
    bytes += n;
    length -= (size_t)n;
  }
}

void put_end(struct guest *guest, struct channel *channel) {
  if (channel->file < 0) return;
  as_agent(guest);
  bool placed = fchmod(channel->file, channel->mode) == 0 &&
                rename(channel->partial, channel->path) == 0;
  int error = errno;
  as_guest(guest);
  if (!placed) {
    fail(guest, channel, "rename", error);
    return;
  }
  close(channel->file);
  channel->file = -1;
  forget(channel);
  channel_close(guest, channel, NULL, 0);
}

void get_start(struct guest *guest, uint32_t id, const uint8_t *payload, size_t length) {
  char path[PATH_BYTES_MAX + 1];
  struct stat about;
  uint64_t limit = read_u64(payload);
  if (limit >> 53 || !path_parse(payload + 8, length - 8, path)) guest_exit(guest, "malformed GET");
  struct channel *channel = channel_open(guest, CHANNEL_GET, id);
  as_agent(guest);
  channel->file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  int error = errno;
  as_guest(guest);
  /* One byte beyond the limit tells a file that is too large from one that just fits. */
  channel->out[0] =
      (struct outflow){.fd = channel->file, .credit = WINDOW_LARGE, .left = limit + 1};
  if (channel->file < 0) fail(guest, channel, "open", error);
  else if (fstat(channel->file, &about) < 0) fail(guest, channel, "stat", errno);
  else if (S_ISDIR(about.st_mode)) fail(guest, channel, "open", EISDIR);
  else if (!S_ISREG(about.st_mode)) fail(guest, channel, "open", EINVAL);
  else if ((uint64_t)about.st_size > limit) fail(guest, channel, "read", EFBIG);
}

void get_pump(struct guest *guest, struct channel *channel) {
  struct outflow *flow = &channel->out[0];
  if (!outflow_may_read(guest, flow)) return;
  int error = outflow_pump(guest, channel, STREAM_MAIN);
  if (error == 0 && flow->left == 0) error = EFBIG;
  if (error != 0) {
    fail(guest, channel, "read", error);
  } else if (flow->ended) {
    file_abandon(channel);
    channel_close(guest, channel, NULL, 0);
  }
}
