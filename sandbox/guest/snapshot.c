/*
 * Being put into a snapshot, and coming out of it as somebody else: everything that the wire knew is
 * forgotten but for one command that stands by, and the host has to configure the guest anew.
 */
#define _GNU_SOURCE
#include "guest.h"
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- before ---- */

static bool is_untouched(const struct channel *channel) {
  const struct inflow *in = &channel->in;
  return in->fd >= 0 && in->used == 0 && in->owed == 0 && in->window == in->size && !in->ended;
}

static bool has_full_credit(const struct outflow *out) {
  return !out->ended && out->credit == WINDOW_LARGE;
}

/* Whether a command runs on it of which host and guest know the same without telling each other. */
static bool stands_by(const struct channel *channel) {
  return channel->kind == CHANNEL_EXEC && channel->alive && channel->status_fd < 0 &&
         !channel->failed_step && !channel->close_sent && !channel->close_received &&
         is_untouched(channel) && has_full_credit(&channel->out[0]) &&
         (channel->terminal || has_full_credit(&channel->out[1]));
}

/* Processor time in ticks; false while it does anything but sleep. */
static bool sleeps(pid_t pid, unsigned long long *ticks) {
  char path[32], text[512], state;
  unsigned long long user, system;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n <= 0) return false;
  text[n] = 0;
  const char *after_name = strrchr(text, ')');
  if (!after_name || sscanf(after_name + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
                            &state, &user, &system) != 3)
    return false;
  *ticks = user + system;
  return state == 'S';
}

/* The sooner a snapshot, the less of an interpreter is in it. False: it never came to rest. */
static bool settles(pid_t pid) {
  enum { LOOKS = 5, MOST = 500 };
  const struct timespec pause = {.tv_nsec = 20000000};
  unsigned long long last = 0, ticks = 0;
  for (int i = 0, calm = 0; i < MOST; i++, last = ticks) {
    calm = sleeps(pid, &ticks) && ticks == last ? calm + 1 : 0;
    if (calm == LOOKS) return true;
    nanosleep(&pause, NULL);
  }
  return false;
}

/* NULL: nothing stands against a snapshot. */
static const char *obstacle(const struct guest *guest, const struct channel **standby) {
  if (!machine_runs()) return "machine EOPNOTSUPP";
  if (!input_is_empty()) return "wire EBUSY"; /* The host went on talking. */
  for (int i = 0; i < CHANNELS_MAX; i++) {
    const struct channel *channel = &guest->channels[i];
    if (channel->kind == CHANNEL_FREE) continue;
    if (*standby || !stands_by(channel)) return "channels EBUSY";
    *standby = channel;
  }
  return *standby && !settles((*standby)->pid) ? "standby EBUSY" : NULL;
}

/* channel u32 · empty, or what stands against it */
void quiesce(struct guest *guest) {
  const struct channel *standby = NULL;
  const char *against = obstacle(guest, &standby);
  uint8_t payload[4 + REASON_MAX];
  size_t size = against ? strlen(against) : 0;
  write_u32(payload, standby && !against ? standby->id : 0);
  memcpy(payload + 4, against ? against : "", size);
  if (!against) sync();
  output_frame(&guest->output, FRAME_QUIET, 0, 0, payload, 4 + size);
  guest->is_quiet = !against;
}

/* ---- after ---- */

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void forget(struct guest *guest) {
  uint8_t packet[1];
  for (int i = 0; i < LISTENERS_MAX; i++) close_fd(&guest->listener_fds[i]);
  close_fd(&guest->dns);
  for (unsigned i = 0; i < guest->watch_count; i++)
    while (read(guest->watches[i].fd, packet, sizeof packet) >= 0) continue;
  memset(&guest->names, 0, sizeof guest->names);
  memset(guest->notices, 0, sizeof guest->notices);
  notices_begin(guest);
  guest->accepting.next_us = 0;
  guest->last_guest_channel = 0;
  guest->memory_peak = 0;
  guest->configured = false;
}

/*
 * The wire of a snapshot is cut, though not every device tells: a port whose next holder is there in
 * time looks as ever. So nothing is concluded from it but that it may have to be opened again.
 */
static void keep_wire(struct guest *guest) {
  const int wire = machine_reopen(guest->wire_in);
  if (wire == guest->wire_in) return;
  close_fd(&guest->output.fd);
  close_fd(&guest->wire_in);
  input_drop();
  take_wire(guest, wire, wire);
}

void rest(struct guest *guest) {
  const uint8_t *generation;
  input_drop();
  while (!(generation = take_resume(guest))) {
    struct pollfd polled = {.fd = guest->wire_in, .events = POLLIN};
    if (poll(&polled, 1, -1) < 0 && errno != EINTR) guest_fail("poll");
    if (polled.revents & (POLLHUP | POLLERR) || !input_read(guest)) keep_wire(guest);
  }
  memcpy(guest->generation, generation, GENERATION_BYTES);
  forget(guest);
  guest->is_quiet = false;
  guest->is_restored = true;
  say_hello(guest);
}
