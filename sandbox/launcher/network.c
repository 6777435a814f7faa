/*
 * The network of a sandbox: a namespace in which nothing is but the loopback, where every address leads.
 * Only the launcher has the rights for that; none of them is passed on.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

static void map_only_self(uid_t uid, gid_t gid) {
  char map[64];
  write_file("/proc/self/setgroups", "deny");
  snprintf(map, sizeof map, "%u %u 1", uid, uid);
  write_file("/proc/self/uid_map", map);
  snprintf(map, sizeof map, "%u %u 1", gid, gid);
  write_file("/proc/self/gid_map", map);
}

int enter_network(int watches[WATCHES_MAX]) {
  uid_t uid = geteuid();
  gid_t gid = getegid();
  int count;
  if (unshare(CLONE_NEWNET | (uid == 0 ? 0 : CLONE_NEWUSER)) != 0)
    fail("unshare", "network namespace");
  if (uid != 0) map_only_self(uid, gid);
  const char *failed = capture_network(watches, &count);
  if (failed) fail("capture", failed);
  write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  return count;
}
