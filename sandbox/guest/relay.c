/* Connections that programs in the sandbox open on its loopback, carried to the host. */
#define _GNU_SOURCE
#include "guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_at(const struct sockaddr *at, socklen_t size) {
  enum { BACKLOG = 1024 };
  int fd = socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  const int on = 1, off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (at->sa_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (bind(fd, at, size) == 0 && listen(fd, BACKLOG) == 0) return fd;
  int error = errno;
  close(fd);
  return -error;
}

static int open_ipv4(const struct listener *listener) {
  struct sockaddr_in at = {.sin_family = AF_INET,
                           .sin_port = htons(listener->port),
                           .sin_addr.s_addr = htonl(listener->address)};
  return open_at((struct sockaddr *)&at, sizeof at);
}

static int open_dual(const struct listener *listener) {
  struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(listener->port)};
  return open_at((struct sockaddr *)&at, sizeof at);
}

/* Whether another listener takes what arrives for this one; `describe` tells them apart. */
static bool is_covered(const struct configuration *configuration, unsigned index) {
  const struct listener *listener = &configuration->listeners[index];
  for (unsigned i = 0; i < configuration->listener_count; i++) {
    const struct listener *other = &configuration->listeners[i];
    if (listener->address != 0 && other->address == 0 && other->port == listener->port) return true;
  }
  return false;
}

int listener_open(struct guest *guest, unsigned index) {
  const struct listener *listener = &guest->configuration.listeners[index];
  if (is_covered(&guest->configuration, index)) return 0;
  int fd = listener->address == 0 ? open_dual(listener) : -EAFNOSUPPORT;
  guest->listener_is_dual[index] = fd >= 0;
  /* Where there is no IPv6, or not all of it. */
  if (fd < 0 && fd != -EADDRINUSE) fd = open_ipv4(listener);
  if (fd < 0) return -fd;
  guest->listener_fds[index] = fd;
  return 0;
}

bool listener_takes(const struct guest *guest, const struct destination *to) {
  for (unsigned i = 0; i < guest->configuration.listener_count; i++) {
    const struct listener *listener = &guest->configuration.listeners[i];
    if (to->protocol == IPPROTO_TCP && listener->address == 0 && listener->port == to->port &&
        (!to->is_ipv6 || guest->listener_is_dual[i]))
      return true;
  }
  return false;
}

static bool destination_of(int fd, struct destination *out) {
  union {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
  } here;
  socklen_t size = sizeof here;
  *out = (struct destination){.protocol = IPPROTO_TCP};
  if (getsockname(fd, &here.any, &size) < 0) return false;
  if (here.any.sa_family == AF_INET) {
    out->ipv4 = ntohl(here.ipv4.sin_addr.s_addr);
    out->port = ntohs(here.ipv4.sin_port);
    return true;
  }
  memcpy(out->ipv6, &here.ipv6.sin6_addr, sizeof out->ipv6);
  out->port = ntohs(here.ipv6.sin6_port);
  out->is_ipv6 = !IN6_IS_ADDR_V4MAPPED(&here.ipv6.sin6_addr);
  if (!out->is_ipv6) out->ipv4 = read_u32(out->ipv6 + 12);
  return true;
}

static const struct listener *listener_for(const struct configuration *configuration,
                                           const struct destination *destination,
                                           const struct listener *accepted_by) {
  for (unsigned i = 0; i < configuration->listener_count; i++) {
    const struct listener *listener = &configuration->listeners[i];
    if (!destination->is_ipv6 && listener->address == destination->ipv4 &&
        listener->port == destination->port)
      return listener;
  }
  return accepted_by;
}

static bool is_loopback(const struct destination *destination) {
  static const uint8_t ipv6_loopback[16] = {[15] = 1};
  return destination->is_ipv6 ? memcmp(destination->ipv6, ipv6_loopback, 16) == 0
                              : destination->ipv4 >> 24 == 127;
}

/* target u8 · port u16 · host. Returns 0 for what is the sandbox's own business. */
static size_t describe(const struct guest *guest, unsigned index, int fd, uint8_t *payload) {
  struct destination destination;
  if (!destination_of(fd, &destination)) return 0;
  const struct listener *listener = listener_for(&guest->configuration, &destination,
                                                 &guest->configuration.listeners[index]);
  char *host = (char *)payload + 3;
  payload[0] = listener->target;
  write_u16(payload + 1, 0);
  if (listener->target != TARGET_TCP) return 3;
  write_u16(payload + 1, destination.port);
  if (destination.is_ipv6)
    return is_loopback(&destination) ? 0 : 3 + ipv6_text(destination.ipv6, host);
  /* That a name such as localhost has this address does not make it one of the network's. */
  if (listener->address == 0 && destination.ipv4 == INADDR_LOOPBACK) return 0;
  size_t length = name_of_address(&guest->names, destination.ipv4, host);
  if (length > 0) return 3 + length;
  if (listener->address == 0 && is_loopback(&destination)) return 0;
  return 3 + ipv4_text(destination.ipv4, host);
}

static void reset(int fd) {
  const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(fd);
}

bool relay_may_accept(const struct guest *guest) {
  return guest->relay_channels < RELAY_CHANNELS_MAX && output_has_room(&guest->output, 0) &&
         pace_allows(&guest->accepting);
}

bool relay_accept(struct guest *guest, unsigned listener) {
  int fd = accept4(guest->listener_fds[listener], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return false;
  pace_spend(&guest->accepting);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  uint8_t payload[3 + NAME_BYTES_MAX + 1];
  size_t length = describe(guest, listener, fd, payload);
  struct inflow in;
  if (length == 0 || !inflow_open(&in, fd, WINDOW_CONNECTION)) {
    reset(fd);
    return true;
  }
  uint32_t id = GUEST_CHANNEL | ++guest->last_guest_channel;
  struct channel *channel = channel_open(guest, CHANNEL_RELAY, id);
  channel->in = in;
  channel->out[0] = (struct outflow){.fd = fd, .credit = WINDOW_CONNECTION, .left = UINT64_MAX};
  channel->connected = true;
  output_frame(&guest->output, FRAME_CONNECT, 0, id, payload, length);
  return true;
}

void relay_reset(struct channel *channel, bool abort) {
  int fd = channel->out[0].fd;
  if (fd < 0) return;
  if (abort) reset(fd);
  else close(fd);
  channel->out[0].fd = -1;
  inflow_close(&channel->in);
}

/* Moves a relay on: `error` is what reading or writing its socket just failed with. */
void relay_settle(struct guest *guest, struct channel *channel, int error) {
  if (channel->close_sent || channel->close_received) return;
  if (error != 0) {
    relay_reset(channel, true);
    channel_close(guest, channel, "relay", error);
    return;
  }
  bool in_done = channel->in.ended && channel->in.used == 0;
  if (in_done && channel->connected) {
    shutdown(channel->out[0].fd, SHUT_WR);
    channel->connected = false;
  }
  if (in_done && channel->out[0].ended) {
    relay_reset(channel, false);
    channel_close(guest, channel, NULL, 0);
  }
}
