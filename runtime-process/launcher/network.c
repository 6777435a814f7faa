/* The network of a sandbox: a namespace in which nothing is but the loopback. */
#define _GNU_SOURCE
#include "launch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  LOOPBACK = 1,              /* Index of `lo` in every network namespace. */
  OWN_ADDRESS = 0xc6120001,  /* 198.18.0.1 */
  OWN_PREFIX = 15,
};

static void map_only_self(uid_t uid, gid_t gid) {
  char map[64];
  write_file("/proc/self/setgroups", "deny");
  snprintf(map, sizeof map, "%u %u 1", uid, uid);
  write_file("/proc/self/uid_map", map);
  snprintf(map, sizeof map, "%u %u 1", gid, gid);
  write_file("/proc/self/gid_map", map);
}

/* One question to the kernel's network, without padding: all parts are multiples of four. */
struct link_up {
  struct nlmsghdr header;
  struct ifinfomsg link;
};

struct new_address {
  struct nlmsghdr header;
  struct ifaddrmsg address;
  struct rtattr local;
  uint32_t value;
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

static void raise_loopback(int netlink) {
  struct link_up up = {.header.nlmsg_type = RTM_NEWLINK,
                       .link = {.ifi_index = LOOPBACK, .ifi_flags = IFF_UP, .ifi_change = IFF_UP}};
  if (!ask(netlink, &up, sizeof up)) fail("raise", "loopback");
}

/* All of 198.18.0.0/15 is local then: the addresses that stand for names. And there is an address
 * beside 127.0.0.1, without which resolvers of some programs ask for no IPv4 addresses. */
static void add_address(int netlink) {
  struct new_address own = {
      .header = {.nlmsg_type = RTM_NEWADDR, .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL},
      .address = {.ifa_family = AF_INET, .ifa_prefixlen = OWN_PREFIX, .ifa_index = LOOPBACK},
      .local = {.rta_len = RTA_LENGTH(4), .rta_type = IFA_LOCAL},
      .value = htonl(OWN_ADDRESS)};
  if (!ask(netlink, &own, sizeof own)) fail("add", "address of the loopback");
}

void enter_network(void) {
  uid_t uid = geteuid();
  gid_t gid = getegid();
  if (unshare(CLONE_NEWNET | (uid == 0 ? 0 : CLONE_NEWUSER)) != 0)
    fail("unshare", "network namespace");
  if (uid != 0) map_only_self(uid, gid);
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (netlink < 0) fail("open", "netlink");
  raise_loopback(netlink);
  add_address(netlink);
  close(netlink);
  write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
}
