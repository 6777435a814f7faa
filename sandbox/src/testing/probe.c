/* Tries what a confined command must not be able to do; prints `name errno` per line, 0 for done. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, long result) {
  int error = result < 0 ? errno : 0;
  if (result > 2 && strncmp(name, "socket", 6) == 0) close((int)result);
  printf("%s %s\n", name, error == 0 ? "0" : strerrorname_np(error));
}

static char buffer[64];
static struct iovec area = {buffer, sizeof buffer};

int main(void) {
  struct rlimit limit;
  int pair[2];
  say("ptrace", syscall(SYS_ptrace, PTRACE_ATTACH, 1, 0, 0));
  say("process_vm_readv", syscall(SYS_process_vm_readv, 1, &area, 1, &area, 1, 0));
  say("pidfd_getfd", syscall(438, 3, 0, 0));
  say("open_guest_memory", open("/proc/1/mem", O_RDONLY));
  say("open_guest_environ", open("/proc/1/environ", O_RDONLY));
  say("list_guest_descriptors", open("/proc/1/fd", O_RDONLY | O_DIRECTORY));
  say("open_guest_wire", open("/proc/1/fd/10", O_RDWR));
  say("open_guest_score", open("/proc/1/oom_score_adj", O_WRONLY));
  say("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
  say("umount", umount2("/proc", MNT_DETACH));
  say("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
  say("pivot_root", syscall(SYS_pivot_root, "/tmp", "/tmp"));
  say("chroot", chroot("/tmp"));
  say("unshare_user", unshare(CLONE_NEWUSER));
  say("setns", syscall(SYS_setns, 0, 0));
  say("clone_user", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  say("clone_net", syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0));
  say("clone3", syscall(SYS_clone3, NULL, 0));
  say("keyctl", syscall(SYS_keyctl, 0, -3, 1));
  say("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
  say("bpf", syscall(SYS_bpf, 0, NULL, 0));
  say("userfaultfd", syscall(SYS_userfaultfd, 0));
  say("io_uring", syscall(SYS_io_uring_setup, 1, NULL));
  say("perf", syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
  say("open_by_handle", syscall(SYS_open_by_handle_at, 0, NULL, 0));
  say("reboot", syscall(SYS_reboot, 0, 0, 0, NULL));
  say("settimeofday", syscall(SYS_settimeofday, NULL, NULL));
  say("sethostname", sethostname("x", 1));
  say("syslog", syscall(SYS_syslog, 3, NULL, 0));
  say("personality", personality(ADDR_NO_RANDOMIZE));
  say("personality_query", personality(0xffffffff));
  say("socket_vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
  say("socket_packet", socket(AF_PACKET, SOCK_RAW, 0));
  say("socket_alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
  say("socket_bluetooth", socket(AF_BLUETOOTH, SOCK_RAW, 0));
  say("socket_raw", socket(AF_INET, SOCK_RAW, 1));
  say("socket_mptcp", socket(AF_INET, SOCK_STREAM, 262));
  say("socket_sctp", socket(AF_INET6, SOCK_SEQPACKET, 0));
  say("socket_udplite", socket(AF_INET6, SOCK_DGRAM, 136));
  say("socket_xfrm", socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM));
  say("socket_audit", socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT));
  say("socket_route", socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  say("socket_tcp", socket(AF_INET, SOCK_STREAM, 0));
  say("socket_tcp6", socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 6));
  say("socket_udp", socket(AF_INET, SOCK_DGRAM, 0));
  say("socket_udp6", socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 17));
  say("socket_unix", socket(AF_UNIX, SOCK_STREAM, 0));
  say("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  say("tiocsti", ioctl(0, TIOCSTI, "x"));
  say("tiocsti_high_bits", syscall(SYS_ioctl, 0, 0x100000000ul | TIOCSTI, "x"));
  say("prlimit_guest", syscall(SYS_prlimit64, 1, RLIMIT_NOFILE, NULL, &limit));
  say("prlimit_own", syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit));
  int made = open("/tmp/made", O_CREAT | O_WRONLY, 0755);
  say("create_plain", made < 0 ? -1 : 0);
  say("chmod_plain", chmod("/tmp/made", 0700));
  say("chmod_setuid", chmod("/tmp/made", 04755));
  say("fchmod_setgid", fchmod(made, 02755));
  say("fchmodat_setuid", fchmodat(AT_FDCWD, "/tmp/made", 04755, 0));
  say("create_setuid", open("/tmp/other", O_CREAT | O_WRONLY, 04755));
  say("open_mode_ignored", open("/tmp/made", O_RDONLY, 04755) < 0 ? -1 : 0);
  say("mknod_setuid", mknod("/tmp/fifo", S_IFIFO | 04755, 0));
  say("openat2", syscall(437, AT_FDCWD, "/tmp/made", NULL, 0));
  say("setuid_root", syscall(SYS_setresuid, 0, 0, 0));
  say("regain_bounding", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0));
  say("unknown_call", syscall(100000));
  say("core_limit", getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 ? 0 : -1);
  kill(1, SIGKILL); /* Must not reach the guest; the line below would not be printed. */
  say("alive", 0);
#ifdef __x86_64__
  say("x32", syscall(0x40000000 | SYS_getpid));
#endif
  pid_t child = fork();
  if (child == 0) {
#ifdef __x86_64__
    __asm__ volatile("int $0x80" ::"a"(20)); /* getpid by the 32-bit table. */
#else
    raise(SIGSYS);
#endif
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("foreign_table %s\n", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "ran");
  return 0;
}
