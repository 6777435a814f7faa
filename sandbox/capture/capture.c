/*
 * Every address is one of the loopback's own, so that what somebody wrote into a program is refused at
 * once, and can be told, rather than lost without a trace. Compiled into the launcher, which does it in a
 * network namespace, and into the guest, which does it in a machine of its own.
 */
#define _GNU_SOURCE
#include "capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  LOOPBACK = 1, /* Index of `lo` in every network namespace. */
  NAMES_PREFIX = 15,
};
#define OWN_ADDRESS 0xc6120001u /* 198.18.0.1, of the range that stands for names. */

/* One question to the kernel's network, without padding: all parts are multiples of four. */
struct link_change {
  struct nlmsghdr header;
  struct ifinfomsg link;
};

struct new_address {
  struct nlmsghdr header;
  struct ifaddrmsg address;
  struct rtattr local;
  uint32_t value;
};

struct new_route {
  struct nlmsghdr header;
  struct rtmsg route;
  struct rtattr device;
  uint32_t index;
  struct rtattr source; /* IPv4 only. */
  uint32_t address;
};

/* False: errno says why. */
static int ask(int netlink, void *message, size_t size) {
  struct nlmsghdr *header = message;
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
  } answer;
  header->nlmsg_len = (uint32_t)size;
  header->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  if (send(netlink, message, size, 0) != (ssize_t)size) return 0;
  ssize_t n = recv(netlink, &answer, sizeof answer, 0);
  if (n < (ssize_t)sizeof answer.header + (ssize_t)sizeof answer.error.error) return 0;
  errno = -answer.error.error;
  return answer.error.error == 0;
}

static int raise_loopback(int netlink) {
  struct link_change up = {
      .header.nlmsg_type = RTM_NEWLINK,
      .link = {.ifi_index = LOOPBACK, .ifi_flags = IFF_UP, .ifi_change = IFF_UP}};
  return ask(netlink, &up, sizeof up);
}

static int remove_or_shut(int netlink, unsigned index) {
  struct link_change gone = {.header.nlmsg_type = RTM_DELLINK, .link = {.ifi_index = (int)index}};
  struct link_change down = {.header.nlmsg_type = RTM_NEWLINK,
                             .link = {.ifi_index = (int)index, .ifi_change = IFF_UP}};
  return ask(netlink, &gone, sizeof gone) || ask(netlink, &down, sizeof down);
}

int loopback_alone(void) {
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  struct if_nameindex *links = if_nameindex();
  int fine = netlink >= 0 && links != NULL;
  for (struct if_nameindex *at = links; fine && at->if_index != 0; at++)
    fine = at->if_index == LOOPBACK || remove_or_shut(netlink, at->if_index);
  int error = errno;
  if (links) if_freenameindex(links);
  if (netlink >= 0) close(netlink);
  errno = error;
  return fine;
}

/* All of 198.18.0.0/15 is local then: the addresses that stand for names. And there is an address
 * beside 127.0.0.1, without which resolvers of some programs ask for no IPv4 addresses. */
static int add_address(int netlink) {
  struct new_address own = {
      .header = {.nlmsg_type = RTM_NEWADDR, .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL},
      .address = {.ifa_family = AF_INET, .ifa_prefixlen = NAMES_PREFIX, .ifa_index = LOOPBACK},
      .local = {.rta_len = RTA_LENGTH(4), .rta_type = IFA_LOCAL},
      .value = htonl(OWN_ADDRESS)};
  return ask(netlink, &own, sizeof own);
}

static int capture_all(int netlink) {
  struct new_route all = {
      .header = {.nlmsg_type = RTM_NEWROUTE, .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL},
      .route = {.rtm_family = AF_INET,
                .rtm_table = RT_TABLE_LOCAL,
                .rtm_protocol = RTPROT_STATIC,
                .rtm_scope = RT_SCOPE_HOST,
                .rtm_type = RTN_LOCAL},
      .device = {.rta_len = RTA_LENGTH(4), .rta_type = RTA_OIF},
      .index = LOOPBACK,
      .source = {.rta_len = RTA_LENGTH(4), .rta_type = RTA_PREFSRC},
      .address = htonl(OWN_ADDRESS)};
  if (!ask(netlink, &all, sizeof all)) return 0;
  all.route.rtm_family = AF_INET6;
  /* A kernel without IPv6 has nothing to capture. */
  (void)ask(netlink, &all, offsetof(struct new_route, source));
  return 1;
}

/* ---- the sockets that see what is captured ---- */

enum { KEPT_BYTES = 128, BUFFER_BYTES = 65536, OPENS = 0x02, OPENS_OR_ANSWERS = 0x12 };

#define LOAD(size, at) BPF_STMT(BPF_LD | BPF_ABS | (size), (uint32_t)(at))
#define ONLY(bits) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (bits))
#define RETURN(bytes) BPF_STMT(BPF_RET | BPF_K, (bytes))
#define DROP_IF(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1), RETURN(0)
#define KEEP_IF(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1), RETURN(KEPT_BYTES)
/* One more word of which all have to be zero. */
#define AND_ALSO(at)                                                                               \
  BPF_STMT(BPF_MISC | BPF_TAX, 0), LOAD(BPF_W, at), BPF_STMT(BPF_ALU | BPF_OR | BPF_X, 0)

/* Not to the sandbox's own addresses. The filter of an IPv4 socket begins at the header of IP, that of
 * an IPv6 socket behind it. */
#define TO_THE_WORLD_4                                                                             \
  LOAD(BPF_B, 16), DROP_IF(127), LOAD(BPF_W, 16), DROP_IF(OWN_ADDRESS)
#define TO_THE_WORLD_6                                                                             \
  LOAD(BPF_W, SKF_NET_OFF + 36), BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 1),                           \
      AND_ALSO(SKF_NET_OFF + 24), AND_ALSO(SKF_NET_OFF + 28), AND_ALSO(SKF_NET_OFF + 32), DROP_IF(0)
#define IF_IT_OPENS ONLY(OPENS_OR_ANSWERS), KEEP_IF(OPENS), RETURN(0)

static struct sock_filter tcp_4[] = {TO_THE_WORLD_4, BPF_STMT(BPF_LDX | BPF_MSH | BPF_B, 0),
                                     BPF_STMT(BPF_LD | BPF_IND | BPF_B, 13), IF_IT_OPENS};
static struct sock_filter udp_4[] = {TO_THE_WORLD_4, RETURN(KEPT_BYTES)};
static struct sock_filter tcp_6[] = {TO_THE_WORLD_6, LOAD(BPF_B, 13), IF_IT_OPENS};
static struct sock_filter udp_6[] = {TO_THE_WORLD_6, RETURN(KEPT_BYTES)};

#define FILTER(program) {sizeof program / sizeof *program, program}

static const struct {
  int family, protocol;
  struct sock_fprog filter;
} watched[CAPTURE_SOCKETS_MAX] = {{AF_INET, IPPROTO_TCP, FILTER(tcp_4)},
                          {AF_INET, IPPROTO_UDP, FILTER(udp_4)},
                          {AF_INET6, IPPROTO_TCP, FILTER(tcp_6)},
                          {AF_INET6, IPPROTO_UDP, FILTER(udp_6)}};

/* Raw sockets rather than one of AF_PACKET, whose end takes the kernel ten milliseconds. */
static int open_watch(int family, int protocol, const struct sock_fprog *filter) {
  const int on = 1, size = BUFFER_BYTES / 2; /* The kernel takes it twice. */
  int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) return -1;
  /* What an IPv6 socket gets does not say where it was to go, unless asked. */
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, sizeof *filter) == 0 &&
      setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on) == 0 &&
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0 &&
      (family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == 0))
    return fd;
  close(fd);
  return -1;
}

const char *capture_network(int sockets[CAPTURE_SOCKETS_MAX], int *count) {
  *count = 0;
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (netlink < 0) return "open netlink";
  const char *failed = !raise_loopback(netlink)  ? "raise loopback"
                       : !add_address(netlink)   ? "add address of the loopback"
                       : !capture_all(netlink)   ? "route all addresses to the loopback"
                                                 : NULL;
  int error = errno;
  close(netlink);
  errno = error;
  for (int i = 0; i < CAPTURE_SOCKETS_MAX && !failed; i++) {
    int fd = open_watch(watched[i].family, watched[i].protocol, &watched[i].filter);
    if (fd >= 0) sockets[(*count)++] = fd;
    else if (watched[i].family == AF_INET) failed = "open raw socket"; /* There may be no IPv6. */
  }
  return failed;
}
