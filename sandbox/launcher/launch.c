/*
 * Starts bubblewrap inside a sandbox's limits and, for a daemon that is root, as the sandbox's own
 * unprivileged user.
 *
 *   launch [--cgroup FILE]... [--network] [--user UID GID] [--stage PATH | --lend-read PATH | --lend-write PATH]...
 *          [--limit NAME VALUE]... -- PROGRAM ARG...
 *
 * --cgroup  a cgroup.procs file to join. Joining comes first, so that nothing runs outside the limits.
 * --network a network namespace with nothing but the loopback, see network.c. All ports are
 *           open to all there: the guest answers DNS without a capability. Whoever is not root gets
 *           it inside a user namespace. bubblewrap's own would belong to one that the guest is not in.
 * --user    become this user. Needs root; only then may --stage be given.
 * --stage   make the n-th such path readable at /tmp/<n> in a mount namespace that only PROGRAM
 *           sees, wherever it lies: a clone below a 0700 home is no obstacle, and nothing is left
 *           behind. PATH must be canonical; a symbolic link anywhere in it is an error.
 * --lend-*  stage a path that its owner lends: where the file system can (id-mapped mounts, kernel
 *           5.12), the sandbox's user acts there as the owner, unless that is root. It is an error
 *           when the user then cannot read or write it.
 * --limit   a hard resource limit: nofile, nproc or data.
 *
 * File descriptor 3, a socket, becomes PROGRAM's stdin and stdout. With --network, PROGRAM finds from
 * there on the sockets that see packets to the world. What fails is said on stderr
 * with the step and the reason, and the exit status is then 125.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_LAUNCH 125
#define WIRE_FD 3
#define STAGE "/tmp"
#define MAX_CGROUPS 8
#define MAX_STAGES 64

/* Kernel 5.2 to 5.12; spelt out because older libc headers lack them. Same numbers everywhere. */
#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#define TREE_CLONE 1u
#define TREE_RECURSIVE 0x8000u
#define MOVE_FROM_EMPTY_PATH 4u
#define JOIN_SESSION_KEYRING 1L
#define SET_ID_MAP 0x100000ull

/* struct mount_attr of the kernel, which older headers lack. */
struct mount_attributes {
  unsigned long long set, clear, propagation, user_namespace;
};

enum use { USE_AS_IS, USE_TO_READ, USE_TO_WRITE };

struct request {
  const char *cgroups[MAX_CGROUPS];
  int cgroup_count;
  const char *stages[MAX_STAGES];
  enum use uses[MAX_STAGES];
  int stage_count;
  int has_network;
  int has_user;
  uid_t uid;
  gid_t gid;
  char **program;
};

void fail(const char *step, const char *what) {
  fprintf(stderr, "launch: %s %s: %s\n", step, what, strerror(errno));
  exit(EXIT_LAUNCH);
}

void misuse(const char *what, const char *value) {
  fprintf(stderr, "launch: %s: %s\n", what, value);
  exit(EXIT_LAUNCH);
}

static unsigned long parse_number(const char *text, unsigned long max) {
  char *end = NULL;
  errno = 0;
  unsigned long value = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
  if (end == NULL || *end != '\0' || errno != 0 || value > max) misuse("not a number in range", text);
  return value;
}

static void set_limit(int resource, const char *name, rlim_t value) {
  struct rlimit current;
  if (getrlimit(resource, &current) != 0) fail("read limit", name);
  /* Whoever is not root may lower a hard limit but never raise it. */
  if (current.rlim_max != RLIM_INFINITY && value > current.rlim_max) value = current.rlim_max;
  struct rlimit wanted = {.rlim_cur = value, .rlim_max = value};
  if (setrlimit(resource, &wanted) != 0) fail("set limit", name);
}

static void parse_limit(const char *name, const char *value) {
  rlim_t number = parse_number(value, ULONG_MAX);
  if (strcmp(name, "nofile") == 0) set_limit(RLIMIT_NOFILE, name, number);
  else if (strcmp(name, "nproc") == 0) set_limit(RLIMIT_NPROC, name, number);
  else if (strcmp(name, "data") == 0) set_limit(RLIMIT_DATA, name, number);
  else misuse("unknown limit", name);
}

static int is_stage(const char *option, enum use *use) {
  if (strcmp(option, "--stage") == 0) *use = USE_AS_IS;
  else if (strcmp(option, "--lend-read") == 0) *use = USE_TO_READ;
  else if (strcmp(option, "--lend-write") == 0) *use = USE_TO_WRITE;
  else return 0;
  return 1;
}

static void parse_arguments(int argc, char **argv, struct request *request) {
  int i = 1;
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    const char *option = argv[i];
    int left = argc - i - 1;
    if (strcmp(option, "--cgroup") == 0 && left >= 1 && request->cgroup_count < MAX_CGROUPS) {
      request->cgroups[request->cgroup_count++] = argv[++i];
    } else if (is_stage(option, &request->uses[request->stage_count]) && left >= 1) {
      request->stages[request->stage_count++] = argv[++i];
      if (request->stage_count == MAX_STAGES) misuse("too many", "--stage");
    } else if (strcmp(option, "--network") == 0) {
      request->has_network = 1;
    } else if (strcmp(option, "--user") == 0 && left >= 2) {
      request->uid = (uid_t)parse_number(argv[++i], UINT_MAX - 1);
      request->gid = (gid_t)parse_number(argv[++i], UINT_MAX - 1);
      request->has_user = 1;
    } else if (strcmp(option, "--limit") == 0 && left >= 2) {
      parse_limit(argv[i + 1], argv[i + 2]);
      i += 2;
    } else {
      misuse("cannot use option", option);
    }
  }
  if (i + 1 >= argc) misuse("missing", "-- PROGRAM");
  request->program = argv + i + 1;
  if (request->has_user && (request->uid == 0 || request->gid == 0)) misuse("refused", "--user 0");
  if (request->stage_count > 0 && !request->has_user) misuse("--stage needs", "--user");
}

static void join_cgroup(const char *path) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) fail("open", path);
  /* "0" stands for the writer, in whatever pid namespace it is. */
  if (write(fd, "0", 1) != 1) fail("join", path);
  close(fd);
}

void write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) fail("write", path);
  close(fd);
}

/* Opens a mount of its own of `path`. */
static int clone_tree(const char *path, struct stat *info) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                         .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
  if (fd < 0) fail("open", path);
  if (fstat(fd, info) != 0) fail("stat", path);
  int tree = (int)syscall(SYS_open_tree, fd, "",
                          TREE_CLONE | TREE_RECURSIVE | AT_EMPTY_PATH | O_CLOEXEC);
  if (tree < 0) fail("clone the mount of", path);
  close(fd);
  return tree;
}

static void write_map(pid_t pid, const char *name, unsigned stored, unsigned seen) {
  char path[64], map[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  snprintf(map, sizeof map, "%u %u 1", stored, seen);
  write_file(path, map);
}

/* A user namespace in which `owner` is the sandbox's user: how the kernel takes a mapping. */
static int open_mapping(const struct request *request, const struct stat *owner) {
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (pid < 0) fail("make", "user namespace");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  write_map(pid, "uid_map", owner->st_uid, request->uid);
  /* Never root's group; a group that has the owner's number is the owner's own. */
  write_map(pid, "gid_map", owner->st_gid == 0 ? owner->st_uid : owner->st_gid, request->gid);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("open", path);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  return fd;
}

static void act_as_owner(int tree, const struct request *request, const struct stat *owner) {
  if (owner->st_uid == 0) return;
  struct mount_attributes attributes = {.set = SET_ID_MAP};
  int mapping = open_mapping(request, owner);
  attributes.user_namespace = (unsigned long long)mapping;
  /* Where kernel or file system cannot, the permission bits for strangers have to do. */
  (void)syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | TREE_RECURSIVE, &attributes,
                sizeof attributes);
  close(mapping);
}

static void stage_path(int index, char target[32]) { snprintf(target, 32, STAGE "/%d", index); }

static void stage(const struct request *request) {
  int trees[MAX_STAGES];
  struct stat infos[MAX_STAGES];
  if (unshare(CLONE_NEWNS) != 0) fail("unshare", "mount namespace");
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) fail("make private", "/");
  /* All sources are held before the staging place covers one of them. */
  for (int i = 0; i < request->stage_count; i++) {
    trees[i] = clone_tree(request->stages[i], &infos[i]);
    if (request->uses[i] != USE_AS_IS) act_as_owner(trees[i], request, &infos[i]);
  }
  if (mount("aegis-stage", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=0755") != 0)
    fail("mount tmpfs on", STAGE);
  for (int i = 0; i < request->stage_count; i++) {
    char target[32];
    stage_path(i, target);
    if (S_ISDIR(infos[i].st_mode)) {
      if (mkdir(target, 0755) != 0) fail("make", target);
    } else {
      int fd = open(target, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
      if (fd < 0) fail("make", target);
      close(fd);
    }
    if (syscall(SYS_move_mount, trees[i], "", AT_FDCWD, target, MOVE_FROM_EMPTY_PATH) != 0)
      fail("stage", request->stages[i]);
    close(trees[i]);
  }
}

static void check_loans(const struct request *request) {
  for (int i = 0; i < request->stage_count; i++) {
    char target[32];
    stage_path(i, target);
    if (request->uses[i] == USE_TO_READ && access(target, R_OK) != 0)
      fail("read", request->stages[i]);
    if (request->uses[i] == USE_TO_WRITE && access(target, R_OK | W_OK) != 0)
      fail("write", request->stages[i]);
  }
}

static void become(uid_t uid, gid_t gid) {
  if (setgroups(0, NULL) != 0) fail("drop", "supplementary groups");
  if (setresgid(gid, gid, gid) != 0) fail("become", "group");
  if (setresuid(uid, uid, uid) != 0) fail("become", "user");
  if (setresuid(0, 0, 0) == 0 || geteuid() != uid) misuse("still privileged", "setresuid");
}

static void arrange_descriptors(const int *watches, int count) {
  if (dup2(WIRE_FD, STDIN_FILENO) < 0 || dup2(WIRE_FD, STDOUT_FILENO) < 0) fail("take", "wire");
  unsigned first_unused = WIRE_FD;
  /* Descriptors are given out from below, so none of them is overwritten before its turn. */
  for (int i = 0; i < count; i++)
    if (dup2(watches[i], (int)first_unused++) < 0) fail("pass on", "raw socket");
  if (syscall(SYS_close_range, first_unused, ~0U, 0) != 0)
    for (int fd = (int)first_unused; fd < 1024; fd++) close(fd);
}

int main(int argc, char **argv) {
  struct request request = {0};
  parse_arguments(argc, argv, &request);
  for (int i = 0; i < request.cgroup_count; i++) join_cgroup(request.cgroups[i]);
  if (chdir("/") != 0) fail("enter", "/");
  umask(022);
  /* A session keyring of its own: the daemon's keys are not the sandbox's. Some kernels have none. */
  (void)syscall(SYS_keyctl, JOIN_SESSION_KEYRING, NULL);
  set_limit(RLIMIT_CORE, "core", 0);
  int watches[WATCHES_MAX];
  int watch_count = request.has_network ? enter_network(watches) : 0;
  if (request.has_user) {
    stage(&request);
    become(request.uid, request.gid);
    check_loans(&request);
  }
  arrange_descriptors(watches, watch_count);
  static char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
  execve(request.program[0], request.program, environment);
  fail("exec", request.program[0]);
}
