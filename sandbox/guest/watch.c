/*
 * Tells of connections and datagrams to addresses of the world, and to ports of names, that nobody
 * takes over. The sockets that see them were made by whoever had the right to.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int option(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

void watches_add(struct guest *guest, int fd) {
  fcntl(fd, F_SETFL, O_NONBLOCK);
  guest->watches[guest->watch_count++] = (struct watch){
      fd, option(fd, SO_DOMAIN) == AF_INET6, (uint8_t)option(fd, SO_PROTOCOL)};
}

void watches_take(struct guest *guest, int first) {
  for (int i = 0; i < WATCHES_MAX; i++) {
    int given = first + i, fd = fcntl(given, F_DUPFD_CLOEXEC, 10);
    if (fd < 0) return;
    close(given);
    watches_add(guest, fd);
  }
}

/* IPv6: from behind the header of IP on, which the kernel tells of beside. */
static bool ipv6_destination(struct msghdr *message, const struct watch *watch,
                             struct destination *to) {
  const struct cmsghdr *control = CMSG_FIRSTHDR(message);
  if (!control || control->cmsg_level != IPPROTO_IPV6 || control->cmsg_type != IPV6_PKTINFO)
    return false;
  *to = (struct destination){.protocol = watch->protocol, .is_ipv6 = true};
  memcpy(to->ipv6, CMSG_DATA(control), sizeof to->ipv6); /* The address is its first field. */
  return true;
}

enum { NAMED = 0, IPV4 = 4, IPV6 = 6 };

static size_t write_destination(const struct guest *guest, const struct destination *to,
                                uint8_t *family, uint8_t *at) {
  if (to->is_ipv6) {
    *family = IPV6;
    memcpy(at, to->ipv6, sizeof to->ipv6);
    return sizeof to->ipv6;
  }
  size_t size = name_of_address(&guest->names, to->ipv4, (char *)at);
  *family = size > 0 ? NAMED : IPV4;
  if (size > 0) return size;
  write_u32(at, to->ipv4);
  return 4;
}

/* protocol u8 · family u8 · port u16 · address, or the name that has it */
static void tell(struct guest *guest, const struct destination *to) {
  enum { HEAD = 4 };
  uint8_t payload[NOTICE_BYTES_MAX];
  payload[0] = to->protocol;
  write_u16(payload + 2, to->port);
  size_t size = write_destination(guest, to, payload + 1, payload + HEAD);
  notice_send(guest, NOTICE_CONNECT_DENIED, payload, HEAD + size);
}

static bool watch_one(struct guest *guest, const struct watch *watch) {
  enum { ENOUGH = 128 };
  uint8_t bytes[ENOUGH];
  union {
    struct cmsghdr aligned;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
  } control;
  struct iovec part = {bytes, sizeof bytes};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control};
  struct destination to;
  ssize_t n = recvmsg(watch->fd, &message, 0);
  if (n < 0) return false;
  bool whole = watch->is_ipv6 ? ipv6_destination(&message, watch, &to) &&
                                    transport_parse(bytes, (size_t)n, &to)
                              : ipv4_parse(bytes, (size_t)n, &to);
  if (whole && to.port != 0 && !listener_takes(guest, &to)) tell(guest, &to);
  return true;
}

void watch_ready(struct guest *guest, unsigned index) {
  enum { PACKETS_A_TURN = 16 };
  for (int i = 0; i < PACKETS_A_TURN && watch_one(guest, &guest->watches[index]); i++) continue;
}
