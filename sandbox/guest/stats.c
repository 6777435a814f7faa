/* What the guest can see of processes, memory and disk. */
#define _GNU_SOURCE
#include "guest.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct totals {
  uint64_t ticks, pages, threads, read_bytes, write_bytes;
  uint32_t processes;
};

/* Block I/O; that of children who were waited for is their parent's. See proc(5). */
static void add_io(const char *pid, struct totals *totals) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%.20s/io", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n <= 0) return;
  text[n] = 0;
  const char *read_bytes = strstr(text, "\nread_bytes: ");
  const char *write_bytes = strstr(text, "\nwrite_bytes: ");
  if (read_bytes) totals->read_bytes += strtoull(strchr(read_bytes, ' '), NULL, 10);
  if (write_bytes) totals->write_bytes += strtoull(strchr(write_bytes, ' '), NULL, 10);
}

static void add_process(const char *pid, struct totals *totals) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n <= 0) return;
  text[n] = 0;
  /* Fields 14, 15, 20 and 24 are user and system ticks, threads, resident pages; see proc(5). */
  unsigned long long user, system, threads, resident;
  const char *after_name = strrchr(text, ')');
  int found = after_name ? sscanf(after_name + 1,
                                  " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d "
                                  "%*d %*d %llu %*d %*u %*u %llu",
                                  &user, &system, &threads, &resident)
                         : 0;
  if (found != 4) return;
  totals->ticks += user + system;
  totals->pages += resident;
  totals->threads += threads;
  totals->processes++;
}

static struct totals count_processes(bool with_io) {
  struct totals totals = {0};
  DIR *proc = opendir("/proc");
  for (struct dirent *entry; proc && (entry = readdir(proc));) {
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    add_process(entry->d_name, &totals);
    if (with_io) add_io(entry->d_name, &totals);
  }
  if (proc) closedir(proc);
  return totals;
}

/* For sandboxes whose processes a resource limit bounds (gVisor), where the kernel counts no refusals. */
bool processes_are_full(void) {
  struct rlimit limit;
  return getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
         count_processes(false).threads >= limit.rlim_cur;
}

static uint64_t microseconds(struct timeval time) {
  return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

void stats_reply(struct guest *guest, uint32_t request) {
  struct totals totals = count_processes(true);
  struct rusage gone;
  getrusage(RUSAGE_CHILDREN, &gone);
  uint64_t live = totals.ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
  uint64_t cpu = live + microseconds(gone.ru_utime) + microseconds(gone.ru_stime);
  uint64_t memory = totals.pages * (uint64_t)sysconf(_SC_PAGESIZE), pids = totals.processes;
  /* The kernel counts files in memory too, and threads. */
  cgroup_read(CGROUP_CPU_US, &cpu);
  cgroup_read(CGROUP_MEMORY, &memory);
  cgroup_read(CGROUP_PIDS, &pids);
  cgroup_read(CGROUP_MEMORY_PEAK, &guest->memory_peak);
  if (memory > guest->memory_peak) guest->memory_peak = memory;

  uint8_t payload[48];
  write_u32(payload, request);
  write_u64(payload + 4, cpu);
  write_u64(payload + 12, memory);
  write_u64(payload + 20, guest->memory_peak);
  write_u32(payload + 28, (uint32_t)pids);
  write_u64(payload + 32, totals.read_bytes);
  write_u64(payload + 40, totals.write_bytes);
  output_frame(&guest->output, FRAME_STATS_REPLY, 0, 0, payload, sizeof payload);
}

/* Whether one of the places where an agent may write has no inode, or as good as no block left: a disk's
 * file system keeps a last few to itself. */
bool disk_is_full(void) {
  enum { AS_GOOD_AS_NONE = 64 * 1024 };
  static const char *const places[] = {"/workspace", "/tmp", "/dev/shm"};
  for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
    struct statvfs about;
    if (statvfs(places[i], &about) < 0 || about.f_flag & ST_RDONLY || about.f_blocks == 0) continue;
    if (about.f_bavail * about.f_frsize < AS_GOOD_AS_NONE || (about.f_files > 0 && about.f_favail == 0)) return true;
  }
  return false;
}
