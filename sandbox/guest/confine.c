/* What the agent's command loses before it starts: privileges, and system calls it never needs. */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "The system call filter knows x86_64 and aarch64 only"
#endif

/* Numbers since 424 are the same on all machines; older headers lack some. */
enum {
  NR_OPENAT2 = 437,
  NR_PIDFD_GETFD = 438,
  NR_MOUNT_SETATTR = 442,
  NR_QUOTACTL_FD = 443,
  NR_FCHMODAT2 = 452,
  NR_NEWEST_KNOWN = 462, /* mseal, Linux 6.10: what came later is unknown to this filter. */
};

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
enum {
  CLONE_NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                     CLONE_NEWPID | CLONE_NEWNET
};

static const int denied[] = {
    /* Other processes. */
    __NR_ptrace, __NR_process_vm_readv, __NR_process_vm_writev, __NR_kcmp, NR_PIDFD_GETFD,
    /* Mounts and namespaces. */
    __NR_mount, __NR_umount2, __NR_pivot_root, __NR_chroot, __NR_setns, __NR_unshare, __NR_fsopen,
    __NR_fsconfig, __NR_fsmount, __NR_fspick, __NR_open_tree, __NR_move_mount, NR_MOUNT_SETATTR,
    __NR_name_to_handle_at, __NR_open_by_handle_at, __NR_fanotify_init,
    /* Kernel machinery with a history. */
    __NR_keyctl, __NR_add_key, __NR_request_key, __NR_bpf, __NR_userfaultfd, __NR_io_uring_setup,
    __NR_io_uring_enter, __NR_io_uring_register, __NR_perf_event_open,
    /* The machine itself. */
    __NR_kexec_load, __NR_init_module, __NR_finit_module, __NR_delete_module, __NR_reboot,
    __NR_swapon, __NR_swapoff, __NR_syslog, __NR_acct, __NR_quotactl, NR_QUOTACTL_FD,
    __NR_settimeofday, __NR_clock_settime, __NR_adjtimex, __NR_clock_adjtime, __NR_sethostname,
    __NR_setdomainname, __NR_vhangup,
#ifdef __NR_kexec_file_load
    __NR_kexec_file_load,
#endif
#ifdef __x86_64__
    __NR_iopl, __NR_ioperm, __NR_modify_ldt, __NR_uselib, __NR_ustat, __NR_sysfs, __NR__sysctl,
#endif
};

enum { DENIED_COUNT = sizeof denied / sizeof *denied, FILTER_MAX = 2 * DENIED_COUNT + 128 };

struct filter {
  unsigned short length;
  struct sock_filter code[FILTER_MAX];
};

static void emit(struct filter *filter, uint16_t code, uint32_t k, uint8_t yes, uint8_t no) {
  filter->code[filter->length++] = (struct sock_filter){code, yes, no, k};
}

static void load(struct filter *filter, size_t offset) {
  emit(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}
/* The low half: all arguments looked at are ints or flags below 2^32. */
static void load_argument(struct filter *filter, unsigned index) {
  load(filter, offsetof(struct seccomp_data, args) + 8 * index);
}
static void verdict(struct filter *filter, uint32_t action) {
  emit(filter, BPF_RET | BPF_K, action, 0, 0);
}
static const uint32_t not_permitted = SECCOMP_RET_ERRNO | EPERM;
static const uint32_t not_there = SECCOMP_RET_ERRNO | ENOSYS;

/* Runs the next `count` instructions only when the system call is `number`. */
static void only_for(struct filter *filter, int number, uint8_t count) {
  emit(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, count);
}
static void skip_if_equal(struct filter *filter, uint32_t value, uint8_t count) {
  emit(filter, BPF_JMP | BPF_JEQ | BPF_K, value, count, 0);
}

static void refuse_namespaces_in_clone(struct filter *filter) {
  only_for(filter, __NR_clone, 4);
  load_argument(filter, 0);
  emit(filter, BPF_JMP | BPF_JSET | BPF_K, (uint32_t)CLONE_NAMESPACES, 0, 1);
  verdict(filter, not_permitted);
  verdict(filter, SECCOMP_RET_ALLOW);
  only_for(filter, __NR_clone3, 1); /* Its flags are out of a filter's reach; libc uses clone. */
  verdict(filter, not_there);
}

/*
 * Netlink only for routes and addresses, which getaddrinfo and getifaddrs ask for. Of the Internet
 * only TCP and UDP: for another protocol the kernel would even load its module.
 */
static void restrict_socket_families(struct filter *filter) {
  enum { TYPE_MASK = 0xf }; /* Beside it are SOCK_CLOEXEC and SOCK_NONBLOCK. */
  only_for(filter, __NR_socket, 16);
  load_argument(filter, 0);
  skip_if_equal(filter, AF_UNIX, 13);
  skip_if_equal(filter, AF_NETLINK, 9);
  skip_if_equal(filter, AF_INET, 1);
  emit(filter, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 9);
  load_argument(filter, 1);
  emit(filter, BPF_ALU | BPF_AND | BPF_K, TYPE_MASK, 0, 0);
  skip_if_equal(filter, SOCK_STREAM, 1);
  emit(filter, BPF_JMP | BPF_JEQ | BPF_K, SOCK_DGRAM, 0, 5);
  load_argument(filter, 2);
  skip_if_equal(filter, IPPROTO_TCP, 4);
  skip_if_equal(filter, IPPROTO_UDP, 3);
  load_argument(filter, 2);
  skip_if_equal(filter, 0, 1);
  verdict(filter, not_permitted);
  verdict(filter, SECCOMP_RET_ALLOW);
  only_for(filter, __NR_socketpair, 4);
  load_argument(filter, 0);
  skip_if_equal(filter, AF_UNIX, 1);
  verdict(filter, not_permitted);
  verdict(filter, SECCOMP_RET_ALLOW);
}

/* Typing into a terminal from behind. */
static void refuse_terminal_injection(struct filter *filter) {
  only_for(filter, __NR_ioctl, 5);
  load_argument(filter, 1);
  skip_if_equal(filter, TIOCSTI, 1);
  emit(filter, BPF_JMP | BPF_JEQ | BPF_K, 0x541c /* TIOCLINUX */, 0, 1);
  verdict(filter, not_permitted);
  verdict(filter, SECCOMP_RET_ALLOW);
}

static void only_own_limits(struct filter *filter) {
  only_for(filter, __NR_prlimit64, 4);
  load_argument(filter, 0);
  skip_if_equal(filter, 0, 1);
  verdict(filter, not_permitted);
  verdict(filter, SECCOMP_RET_ALLOW);
}

static void only_the_usual_personality(struct filter *filter) {
  only_for(filter, __NR_personality, 5);
  load_argument(filter, 0);
  skip_if_equal(filter, 0, 2);
  skip_if_equal(filter, 0xffffffff, 1); /* Asks, changes nothing. */
  verdict(filter, not_permitted);
  verdict(filter, SECCOMP_RET_ALLOW);
}

/*
 * A set-user-id program in a host directory that was lent to the sandbox would run as the owner of
 * that directory when somebody starts it on the host.
 */
static void refuse_set_id(struct filter *filter, int number, unsigned mode_argument) {
  only_for(filter, number, 4);
  load_argument(filter, mode_argument);
  emit(filter, BPF_JMP | BPF_JSET | BPF_K, S_ISUID | S_ISGID, 0, 1);
  verdict(filter, not_permitted);
  verdict(filter, SECCOMP_RET_ALLOW);
}

/* As above, where the mode means something only when the flags ask for a new file. */
static void refuse_set_id_when_created(struct filter *filter, int number, unsigned flags_argument) {
  enum { CREATES = O_CREAT | (O_TMPFILE & ~O_DIRECTORY) }; /* Opening a directory does not. */
  only_for(filter, number, 6);
  load_argument(filter, flags_argument);
  emit(filter, BPF_JMP | BPF_JSET | BPF_K, CREATES, 0, 3);
  load_argument(filter, flags_argument + 1);
  emit(filter, BPF_JMP | BPF_JSET | BPF_K, S_ISUID | S_ISGID, 0, 1);
  verdict(filter, not_permitted);
  verdict(filter, SECCOMP_RET_ALLOW);
}

static void refuse_set_id_files(struct filter *filter) {
  refuse_set_id(filter, __NR_fchmod, 1);
  refuse_set_id(filter, __NR_fchmodat, 2);
  refuse_set_id(filter, NR_FCHMODAT2, 2);
  refuse_set_id(filter, __NR_mknodat, 2);
  refuse_set_id_when_created(filter, __NR_openat, 2);
#ifdef __x86_64__
  refuse_set_id(filter, __NR_chmod, 1);
  refuse_set_id(filter, __NR_creat, 1);
  refuse_set_id(filter, __NR_mknod, 1);
  refuse_set_id_when_created(filter, __NR_open, 1);
#endif
  only_for(filter, NR_OPENAT2, 1); /* Its mode is out of a filter's reach; libc uses openat. */
  verdict(filter, not_there);
}

static void build(struct filter *filter) {
  filter->length = 0;
  load(filter, offsetof(struct seccomp_data, arch));
  skip_if_equal(filter, NATIVE_ARCH, 1);
  verdict(filter, SECCOMP_RET_KILL_PROCESS);
  load(filter, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
  enum { X32_BIT = 0x40000000 };
  emit(filter, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
  verdict(filter, not_permitted);
#endif
  emit(filter, BPF_JMP | BPF_JGT | BPF_K, NR_NEWEST_KNOWN, 0, 1);
  verdict(filter, not_there);
  for (int i = 0; i < DENIED_COUNT; i++) {
    only_for(filter, denied[i], 1);
    verdict(filter, not_permitted);
  }
  refuse_namespaces_in_clone(filter);
  restrict_socket_families(filter);
  refuse_terminal_injection(filter);
  only_own_limits(filter);
  only_the_usual_personality(filter);
  refuse_set_id_files(filter);
  verdict(filter, SECCOMP_RET_ALLOW);
}

static bool become(const struct configuration *configuration) {
  if (!configuration->has_user) return true;
  uid_t uid = configuration->uid;
  gid_t gid = configuration->gid;
  if (getuid() == uid && geteuid() == uid && getgid() == gid && getegid() == gid) return true;
  return setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0;
}

static bool drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct nothing[2] = {0};
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL) return false;
  return syscall(SYS_capset, &header, nothing) == 0;
}

bool confine_possible(const struct configuration *configuration) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct held[2] = {0};
  if (!configuration->has_user) return true;
  if (getuid() == configuration->uid && getgid() == configuration->gid) return true;
  const uint32_t needed = 1u << CAP_SETUID | 1u << CAP_SETGID;
  return syscall(SYS_capget, &header, held) == 0 && (held[0].effective & needed) == needed;
}

bool confine(const struct configuration *configuration) {
  /* Without CAP_SETPCAP the bounding set stays, and no_new_privs makes it meaningless. */
  for (unsigned long i = 0; i < 64; i++) prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
  if (!become(configuration) || !drop_capabilities()) return false;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return false;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return false;
  struct filter filter;
  build(&filter);
  struct sock_fprog program = {.len = filter.length, .filter = filter.code};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}
