/*
 * What the kernel counts for the sandbox as a whole, where its own cgroup can be seen: a container
 * has it at /sys/fs/cgroup, read-only, in version 2 or version 1. Elsewhere nothing is there.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct place {
  const char *file;
  const char *key; /* Of a line `key value`; NULL: the file is the value. */
  unsigned divisor;
};

static const struct place places[][2] = {
    [CGROUP_CPU_US] = {{"cpu.stat", "usage_usec", 1}, {"cpuacct/cpuacct.usage", NULL, 1000}},
    [CGROUP_MEMORY] = {{"memory.current", NULL, 1}, {"memory/memory.usage_in_bytes", NULL, 1}},
    [CGROUP_MEMORY_PEAK] = {{"memory.peak", NULL, 1},
                            {"memory/memory.max_usage_in_bytes", NULL, 1}},
    [CGROUP_PIDS] = {{"pids.current", NULL, 1}, {"pids/pids.current", NULL, 1}},
    [CGROUP_OOM_KILLS] = {{"memory.events", "oom_kill", 1},
                          {"memory/memory.oom_control", "oom_kill", 1}},
    [CGROUP_PIDS_REFUSED] = {{"pids.events", "max", 1}, {"pids/pids.events", "max", 1}},
};

static bool read_place(const struct place *place, uint64_t *value) {
  char path[96], text[2048];
  snprintf(path, sizeof path, "/sys/fs/cgroup/%s", place->file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n <= 0) return false;
  text[n] = 0;
  const char *at = text;
  size_t length = place->key ? strlen(place->key) : 0;
  while (place->key && (strncmp(at, place->key, length) != 0 || at[length] != ' ')) {
    at = strchr(at, '\n');
    if (!at++) return false;
  }
  *value = strtoull(at + length, NULL, 10) / place->divisor;
  return true;
}

bool cgroup_read(enum cgroup_count what, uint64_t *value) {
  return read_place(&places[what][0], value) || read_place(&places[what][1], value);
}

struct limit_hits limit_hits(void) {
  struct limit_hits hits = {0};
  cgroup_read(CGROUP_OOM_KILLS, &hits.oom_kills);
  cgroup_read(CGROUP_PIDS_REFUSED, &hits.pids_refused);
  return hits;
}
