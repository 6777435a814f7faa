/*
 * aegis-guest: the entry process of every sandbox. It speaks the wire protocol with the host on
 * one pair of descriptors, starts commands, moves files, and carries loopback connections out.
 *
 *   aegis-guest [--wire FD] [--watch FD]
 *
 * --wire   is read and written; without it, 0 is read and 1 is written
 * --watch  the first of up to four raw sockets that get what is sent to the world and to names;
 *          without them, nobody tells of that
 *
 * As the first process of a micro-VM it takes no arguments but those of the kernel; see machine.c.
 *
 * Whatever breaks the protocol, and the end of the wire, ends this process; as the init of its
 * PID namespace it takes all others with it.
 */
#define _GNU_SOURCE
#include "guest.h"
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EXIT_WIRE_ENDED = 0, EXIT_PROTOCOL = 70, EXIT_SYSTEM = 71 };

static struct guest guest;

_Noreturn void guest_exit(struct guest *dying, const char *why) {
  if (why) dprintf(STDERR_FILENO, "aegis-guest: %s\n", why);
  kill_everything(dying);
  if (machine_runs()) machine_power_off();
  _exit(why ? EXIT_PROTOCOL : EXIT_WIRE_ENDED);
}

_Noreturn void guest_fail(const char *step) {
  dprintf(STDERR_FILENO, "aegis-guest: %s: %s\n", step, errno_name(errno));
  if (machine_runs()) machine_power_off();
  _exit(EXIT_SYSTEM);
}

/* ---- the loop ---- */

enum { SLOT_WIRE_IN, SLOT_WIRE_OUT, SLOT_SIGNALS, SLOT_DNS, SLOT_WATCHES };
enum { SLOT_LISTENERS = SLOT_WATCHES + WATCHES_MAX };
enum { SLOT_CHANNELS = SLOT_LISTENERS + LISTENERS_MAX };
enum { CHANNEL_IN, CHANNEL_OUT, CHANNEL_ERROR, CHANNEL_STATUS, CHANNEL_SLOTS };

static struct pollfd polled[SLOT_CHANNELS + CHANNEL_SLOTS * CHANNELS_MAX];

/* A descriptor that nothing is wanted from is left out, or its hang-up would wake the loop. */
static void want(unsigned slot, int fd, short events) {
  polled[slot] = (struct pollfd){.fd = events ? fd : -1, .events = events};
}

static bool ready(unsigned slot) { return polled[slot].fd >= 0 && polled[slot].revents; }

static unsigned polled_count;

static unsigned channel_slot(unsigned index) { return SLOT_CHANNELS + CHANNEL_SLOTS * index; }

/* Says what to wait for; returns how long. */
static int prepare(void) {
  bool has_room = output_has_room(&guest.output, 0);
  bool may_accept = guest.configured && relay_may_accept(&guest);
  bool reaps = guest.more_to_reap && guest.configured;
  int timeout_ms = (reaps || guest.wire_has_more) && has_room ? 0 : -1;
  if (!pace_allows(&guest.accepting) && timeout_ms < 0) timeout_ms = 1;
  want(SLOT_WIRE_IN, guest.wire_in, guest.wire_has_more ? 0 : POLLIN);
  want(SLOT_WIRE_OUT, guest.output.fd, guest.output.start < guest.output.end ? POLLOUT : 0);
  want(SLOT_SIGNALS, guest.signals, POLLIN);
  want(SLOT_DNS, guest.dns, guest.dns >= 0 ? POLLIN : 0);
  /* What comes faster than it may be told stays in the sockets, which drop what is too much. */
  bool may_tell = guest.configured && notice_may_send(&guest, NOTICE_CONNECT_DENIED);
  for (unsigned i = 0; i < WATCHES_MAX; i++)
    want(SLOT_WATCHES + i, guest.watches[i].fd, i < guest.watch_count && may_tell ? POLLIN : 0);
  if (guest.watch_count > 0 && !may_tell && timeout_ms < 0) timeout_ms = 100;
  for (unsigned i = 0; i < LISTENERS_MAX; i++)
    want(SLOT_LISTENERS + i, guest.listener_fds[i], may_accept ? POLLIN : 0);
  polled_count = SLOT_CHANNELS;
  for (unsigned i = 0; i < CHANNELS_MAX; i++) {
    struct channel *channel = &guest.channels[i];
    unsigned slot = channel_slot(i);
    if (channel->kind != CHANNEL_FREE) polled_count = slot + CHANNEL_SLOTS;
    bool file = channel->kind == CHANNEL_GET || channel->kind == CHANNEL_FREE || !guest.configured;
    bool out = !file && outflow_may_read(&guest, &channel->out[0]);
    bool error = !file && outflow_may_read(&guest, &channel->out[1]);
    bool eot_pending = channel->kind == CHANNEL_EXEC && channel->in.ended;
    want(slot + CHANNEL_IN, channel->in.fd, channel->in.used > 0 || eot_pending ? POLLOUT : 0);
    want(slot + CHANNEL_OUT, channel->out[0].fd, out ? POLLIN : 0);
    want(slot + CHANNEL_ERROR, channel->out[1].fd, error ? POLLIN : 0);
    want(slot + CHANNEL_STATUS, channel->status_fd, channel->kind == CHANNEL_EXEC && guest.configured ? POLLIN : 0);
    if (channel->kind == CHANNEL_GET && outflow_may_read(&guest, &channel->out[0])) timeout_ms = 0;
    bool draining = channel->kind == CHANNEL_EXEC && !channel->alive && !channel->close_sent;
    if (draining && timeout_ms < 0) timeout_ms = 50;
  }
  return timeout_ms;
}

static void serve_exec(struct channel *channel, unsigned slot) {
  if (ready(slot + CHANNEL_STATUS) && channel->status_fd >= 0) exec_status_ready(&guest, channel);
  if (ready(slot + CHANNEL_IN)) exec_feed(channel);
  bool started = channel->status_fd < 0 && !channel->failed_step && !channel->close_received;
  for (uint8_t i = 0; i < 2 && started; i++) {
    if (!ready(slot + CHANNEL_OUT + i)) continue;
    /* A terminal whose last user is gone reads as EIO. */
    if (outflow_pump(&guest, channel, i) != 0) outflow_end(&guest, channel, i);
  }
  if (!channel->alive) exec_settle(&guest, channel);
}

static void serve_relay(struct channel *channel, unsigned slot) {
  int error = 0;
  if (ready(slot + CHANNEL_IN) && channel->in.fd >= 0) error = inflow_drain(&channel->in);
  if (error == 0 && ready(slot + CHANNEL_OUT)) error = outflow_pump(&guest, channel, STREAM_MAIN);
  relay_settle(&guest, channel, error);
}

static void serve_channels(unsigned first) {
  for (unsigned n = 0; n < CHANNELS_MAX; n++) {
    unsigned i = (first + n) % CHANNELS_MAX;
    struct channel *channel = &guest.channels[i];
    if (channel->kind == CHANNEL_FREE || !output_has_room(&guest.output, 0)) continue;
    if (channel->kind == CHANNEL_EXEC) serve_exec(channel, channel_slot(i));
    if (channel->kind == CHANNEL_RELAY) serve_relay(channel, channel_slot(i));
    if (channel->kind == CHANNEL_GET) get_pump(&guest, channel);
    if (channel->kind != CHANNEL_FREE) inflow_grant(&guest, channel);
  }
}

static void serve(void) {
  struct signalfd_siginfo ignored[8];
  unsigned first = 0;
  for (;;) {
    int timeout_ms = prepare();
    int count = poll(polled, polled_count, timeout_ms);
    if (count < 0 && errno != EINTR) guest_fail("poll");
    if (count < 0) continue;
    /* Whoever was served first is served last next time. */
    if (guest.configured) serve_channels(first++ % CHANNELS_MAX);
    if (ready(SLOT_SIGNALS) && read(guest.signals, ignored, sizeof ignored) > 0)
      guest.more_to_reap = true;
    if (guest.more_to_reap && guest.configured && output_has_room(&guest.output, 0)) reap(&guest);
    if (ready(SLOT_WIRE_IN)) read_wire(&guest);
    handle_input(&guest);
    if (ready(SLOT_DNS)) dns_ready(&guest);
    for (unsigned i = 0; i < guest.watch_count; i++)
      if (ready(SLOT_WATCHES + i)) watch_ready(&guest, i);
    for (unsigned i = 0; i < LISTENERS_MAX; i++)
      while (ready(SLOT_LISTENERS + i) && relay_may_accept(&guest) && relay_accept(&guest, i))
        continue;
    if (!output_flush(&guest.output)) guest_exit(&guest, NULL);
    if (guest.is_quiet && guest.output.start == guest.output.end) rest(&guest);
  }
}

/* ---- start ---- */

void take_wire(struct guest *taking, int in, int out) {
  taking->wire_in = fcntl(in, F_DUPFD_CLOEXEC, 10);
  taking->output.fd = fcntl(out, F_DUPFD_CLOEXEC, 10);
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (taking->wire_in < 0 || taking->output.fd < 0 || nothing < 0) guest_fail("taking the wire");
  dup2(nothing, STDIN_FILENO);
  dup2(nothing, STDOUT_FILENO);
  close(nothing);
  if (in > STDERR_FILENO) close(in);
  fcntl(taking->wire_in, F_SETFL, O_NONBLOCK);
  fcntl(taking->output.fd, F_SETFL, O_NONBLOCK);
}

static void remember_score(void) {
  guest.score_fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
  ssize_t n = guest.score_fd < 0 ? 0 : read(guest.score_fd, guest.score, sizeof guest.score - 1);
  if (n <= 0) strcpy(guest.score, "0");
}

/* A fresh network namespace may have its loopback down; without the right this changes nothing. */
static void raise_loopback(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  if (ioctl(fd, SIOCGIFFLAGS, &request) == 0 && !(request.ifr_flags & IFF_UP)) {
    request.ifr_flags |= IFF_UP;
    ioctl(fd, SIOCSIFFLAGS, &request);
  }
  close(fd);
}

/* Enough for the guest; and what an engine leaves without end is bounded for the commands. */
static void set_descriptor_limit(void) {
  enum { ENOUGH = 4096, MOST = 65536 };
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  if (limit.rlim_max > MOST) limit.rlim_max = MOST;
  if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
  if (limit.rlim_cur < ENOUGH) limit.rlim_cur = limit.rlim_max < ENOUGH ? limit.rlim_max : ENOUGH;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void watch_children(void) {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, NULL);
  signal(SIGPIPE, SIG_IGN);
  guest.signals = signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC);
  if (guest.signals < 0) guest_fail("signalfd");
}

void say_hello(struct guest *saying) {
  enum { PLAIN = 8 };
  uint8_t hello[PLAIN + GENERATION_BYTES];
  bool terminal = access("/dev/ptmx", R_OK | W_OK) == 0;
  write_u32(hello, HELLO_MAGIC);
  write_u16(hello + 4, PROTOCOL_VERSION);
  bool machine = machine_runs(), entropy = machine && entropy_is_there();
  write_u16(hello + 6,
            (uint16_t)((saying->is_init ? HELLO_INIT : 0) | (terminal ? HELLO_TERMINAL : 0) |
                       (machine ? HELLO_MACHINE : 0) | (entropy ? HELLO_ENTROPY : 0) |
                       (saying->is_restored ? HELLO_RESTORED : 0)));
  memcpy(hello + PLAIN, saying->generation, GENERATION_BYTES);
  output_frame(&saying->output, FRAME_HELLO, 0, 0, hello,
               saying->is_restored ? sizeof hello : (size_t)PLAIN);
  if (!output_flush(&saying->output)) guest_exit(saying, NULL);
}

int main(int argc, char **argv) {
  int in = STDIN_FILENO, out = STDOUT_FILENO, watch = -1;
  int i = 1;
  for (; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--wire") == 0) in = out = atoi(argv[i + 1]);
    else if (strcmp(argv[i], "--watch") == 0) watch = atoi(argv[i + 1]);
    else break;
  }
  if (i != argc) {
    dprintf(STDERR_FILENO, "usage: aegis-guest [--wire FD] [--watch FD]\n");
    return 64;
  }
  guest.is_init = getpid() == 1;
  if (machine_is_booting()) in = out = machine_boot(&guest);
  guest.accepting = (struct pace){RELAY_CHANNELS_MAX, RELAYS_PER_SECOND, 0};
  notices_begin(&guest);
  guest.dns = -1;
  for (i = 0; i < LISTENERS_MAX; i++) guest.listener_fds[i] = -1;
  if (watch > STDERR_FILENO) watches_take(&guest, watch);
  take_wire(&guest, in, out);
  remember_score();
  /* From here on no process of the same user can look into this one. */
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) guest_fail("PR_SET_DUMPABLE");
  if (!guest.is_init && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) guest_fail("subreaper");
  set_descriptor_limit();
  raise_loopback();
  watch_children();
  say_hello(&guest);
  serve();
}
