/* Connections that programs in the sandbox open on its loopback, carried to the host. */
#define _GNU_SOURCE
#include "guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int listener_open(const struct listener *listener) {
  enum { BACKLOG = 1024 };
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in at = {.sin_family = AF_INET,
                           .sin_port = htons(listener->port),
                           .sin_addr.s_addr = htonl(listener->address)};
  if (bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, BACKLOG) == 0) return fd;
  int error = errno;
  close(fd);
  return -error;
}

/* The name that was handed out for an address; without one, the address itself in dotted form. */
static size_t name_of(const struct configuration *table, uint32_t address, char *text) {
  for (unsigned i = 0; i < table->name_count; i++) {
    const struct name *name = &table->names[i];
    if (name->address != address) continue;
    memcpy(text, name->text, name->length);
    return name->length;
  }
  return (size_t)snprintf(text, NAME_BYTES_MAX, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
                          address >> 8 & 255, address & 255);
}

/* target u8 · port u16 · host */
static size_t describe(const struct guest *guest, unsigned listener, int fd, uint8_t *payload) {
  payload[0] = guest->configuration.listeners[listener].target;
  write_u16(payload + 1, 0);
  if (payload[0] == TARGET_AGENT_API) return 3;
  struct sockaddr_in here;
  socklen_t size = sizeof here;
  if (getsockname(fd, (struct sockaddr *)&here, &size) < 0) return 0;
  write_u16(payload + 1, ntohs(here.sin_port));
  return 3 + name_of(&guest->configuration, ntohl(here.sin_addr.s_addr), (char *)payload + 3);
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
  if (length == 0 || !inflow_open(&in, fd)) {
    close(fd);
    return true;
  }
  uint32_t id = GUEST_CHANNEL | ++guest->last_guest_channel;
  struct channel *channel = channel_open(guest, CHANNEL_RELAY, id);
  channel->in = in;
  channel->out[0] = (struct outflow){.fd = fd, .credit = WINDOW_SMALL, .left = UINT64_MAX};
  channel->connected = true;
  output_frame(&guest->output, FRAME_CONNECT, 0, id, payload, length);
  return true;
}

void relay_reset(struct channel *channel, bool abort) {
  const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  int fd = channel->out[0].fd;
  if (fd < 0) return;
  if (abort) setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(fd);
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
