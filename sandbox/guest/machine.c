/* The first process of a micro-VM: from the kernel's hands to the wire, and the end of the machine. */
#define _GNU_SOURCE
#include "machine.h"

#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool runs;
static struct arguments arguments;
static int limits_fd = -1; /* cgroup.procs of the commands' group. */

void machine_need(bool fine, const char *step) {
  if (!fine) guest_fail(step);
}

bool machine_wait(bool (*is_true)(const void *of), const void *of) {
  enum { STEP_NS = 2000000, MOST_US = 10000000 };
  const struct timespec step = {.tv_nsec = STEP_NS};
  for (uint64_t until = now_us() + MOST_US; !is_true(of); nanosleep(&step, NULL))
    if (now_us() > until) return errno = ETIMEDOUT, false;
  return true;
}

bool machine_is_booting(void) { return getpid() == 1 && access("/proc/self", F_OK) != 0; }

bool machine_runs(void) { return runs; }

/*
 * A reset rather than a power-off: without ACPI a machine cannot be switched off, only halted, and
 * every monitor is told to exit on a reset. When even that fails, the kernel panics at our end.
 */
_Noreturn void machine_power_off(void) {
  sync();
  reboot(RB_AUTOBOOT);
  _exit(1);
}

/* ---- the kernel's files ---- */

static void mount_kernel_files(void) {
  static const char *const places[] = {"/proc", "/sys", "/dev", "/run"};
  for (unsigned i = 0; i < sizeof places / sizeof *places; i++) mkdir(places[i], 0755);
  machine_need(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0,
               "mounting /proc");
  machine_need(mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0,
               "mounting /sys");
  bool has_devices = mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755") == 0;
  machine_need(has_devices || errno == EBUSY, "mounting /dev"); /* The kernel may have done it. */
  machine_need(mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=700,size=1m") == 0,
               "mounting /run");
}

/* What the guest says at its end is to reach whoever watches the machine. */
static void open_console(void) {
  int console = open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (console < 0) console = open("/dev/null", O_RDWR);
  machine_need(console >= 0, "opening /dev/console");
  for (int fd = 0; fd <= STDERR_FILENO; fd++)
    if (fd != console) dup2(console, fd);
  if (console > STDERR_FILENO) close(console);
}

static void read_arguments(void) {
  static char line[COMMAND_LINE_MAX];
  int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
  machine_need(n >= 0, "reading /proc/cmdline");
  close(fd);
  const char *bad;
  if (arguments_parse(line, &arguments, &bad)) return;
  char step[96];
  snprintf(step, sizeof step, "kernel argument %.64s", bad ? bad : "aegis.wire (missing)");
  errno = EINVAL;
  guest_fail(step);
}

/* Kernels of distributions: the initramfs holds what they need, in the order of its names. The console
 * is among it. */
static void load_modules(void) {
  struct dirent **names;
  int count = scandir("/modules", &names, NULL, alphasort);
  for (int i = 0; i < count; i++) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "/modules/%s", names[i]->d_name);
    int fd = names[i]->d_name[0] == '.' ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST) guest_fail(path);
    if (fd >= 0) close(fd);
  }
  if (count > 0) open_console();
}

/* ---- limits ---- */

static void write_at(int directory, const char *name, const char *text) {
  int fd = openat(directory, name, O_WRONLY | O_CLOEXEC);
  machine_need(fd >= 0 && write(fd, text, strlen(text)) >= 0, name);
  close(fd);
}

static void write_limit(int directory, const char *name, uint64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%llu", (unsigned long long)value);
  if (value > 0) write_at(directory, name, text);
}

/* A group for all commands; the guest stays outside, so that it can tell what struck them. */
static int make_limits(void) {
  mkdir("/run/cgroup", 0755);
  machine_need(mount("cgroup2", "/run/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0,
               "mounting the control groups");
  int top = open("/run/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);
  write_at(top, "cgroup.subtree_control", "+cpu +memory +pids");
  machine_need(mkdirat(top, "commands", 0755) == 0, "making the group of the commands");
  int group = openat(top, "commands", O_PATH | O_DIRECTORY | O_CLOEXEC);
  close(top);
  write_limit(group, "memory.max", arguments.memory_bytes);
  write_limit(group, "pids.max", arguments.pids);
  limits_fd = openat(group, "cgroup.procs", O_WRONLY | O_CLOEXEC);
  machine_need(limits_fd >= 0, "opening the group of the commands");
  return group;
}

/* Files that the host sends still arrive: what is read-only is the command's own view. */
static bool protect_workspace(void) {
  return unshare(CLONE_NEWNS) == 0 &&
         mount(NULL, "/workspace", NULL,
               MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOATIME, NULL) == 0;
}

bool machine_enter(void) {
  return !runs || (write(limits_fd, "0", 1) == 1 &&
                   (!arguments.workspace_read_only || protect_workspace()));
}

/* The kernel's own defaults follow its memory; here the group's limits are meant to be the ones. */
static void lift_default_limits(void) {
  const struct rlimit files = {1024, 65536}, endless = {RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_NOFILE, &files);
  setrlimit(RLIMIT_NPROC, &endless);
  setrlimit(RLIMIT_SIGPENDING, &endless);
}

bool machine_own_workspace(uint32_t uid, uint32_t gid) {
  return chown("/workspace", uid, gid) == 0 || errno == EROFS;
}

/* As in the network namespaces of other sandboxes: any port is free, every address leads here. */
static void make_network(struct guest *guest) {
  int sockets[CAPTURE_SOCKETS_MAX], count;
  int fd = open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY | O_CLOEXEC);
  machine_need(fd >= 0 && write(fd, "0", 1) == 1, "opening the low ports");
  close(fd);
  machine_need(loopback_alone(), "removing the other network devices");
  const char *failed = capture_network(sockets, &count);
  if (failed) guest_fail(failed);
  for (int i = 0; i < count; i++) watches_add(guest, sockets[i]);
}

int machine_reopen(int wire) { return wire_reopen(&arguments, wire); }

int machine_boot(struct guest *guest) {
  runs = true;
  umask(022);
  mount_kernel_files();
  open_console();
  read_arguments();
  load_modules();
  disks_mount();
  int limits = make_limits();
  lift_default_limits();
  make_network(guest);
  int wire = wire_open(&arguments);
  root_enter(limits);
  close(limits);
  machine_need(sethostname("sandbox", 7) == 0, "naming the host");
  return wire;
}
