/*
 * Tries one forbidden thing and says how it went: `allowed`, or the kernel's reason.
 *
 *   probe CASE
 *
 * Each case is the smallest call that a sandbox could be left by, or the host be reached with.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Every case returns -1 with errno when it was refused. */

static long open_for(const char *path, int flags) {
  int fd = open(path, flags);
  char byte;
  /* Some files open but do not read. */
  return fd < 0 ? -1 : (flags & O_ACCMODE) == O_RDONLY ? read(fd, &byte, 1) : 0;
}

static long ptrace_attach(void) { return ptrace(PTRACE_ATTACH, 1, NULL, NULL); }
static long ptrace_seize(void) { return ptrace(PTRACE_SEIZE, 1, NULL, NULL); }
static long ptrace_own_child(void) {
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  long result = ptrace(PTRACE_ATTACH, child, NULL, NULL);
  int reason = errno;
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  errno = reason;
  return result;
}
static long read_guest_memory(void) {
  char byte;
  struct iovec local = {&byte, 1}, remote = {(void *)0x400000, 1};
  return process_vm_readv(1, &local, 1, &remote, 1, 0);
}
static long open_guest_memory(void) { return open_for("/proc/1/mem", O_RDWR); }
static long open_guest_environment(void) { return open_for("/proc/1/environ", O_RDONLY); }
static long list_guest_files(void) { return open_for("/proc/1/fd/0", O_RDWR); }
static long write_guest_output(void) { return open_for("/proc/1/fd/1", O_WRONLY); }
static long open_guest_root(void) { return open_for("/proc/1/root/etc/passwd", O_RDONLY); }
static long steal_guest_file(void) {
  int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);
  return pidfd < 0 ? -1 : syscall(SYS_pidfd_getfd, pidfd, 0, 0);
}
static long limit_guest(void) {
  struct rlimit none = {0, 0};
  return prlimit(1, RLIMIT_NOFILE, &none, NULL);
}

static long mount_tmpfs(void) { return mount("none", "/tmp", "tmpfs", 0, NULL); }
static long mount_proc(void) { return mount("none", "/tmp", "proc", 0, NULL); }
static long remount_writable(void) {
  return mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL);
}
static long bind_mount(void) { return mount("/proc", "/tmp", NULL, MS_BIND, NULL); }
static long unmount(void) { return umount2("/workspace", MNT_DETACH); }
static long new_mount_api(void) { return syscall(SYS_fsopen, "tmpfs", 0); }
static long clone_mount(void) { return syscall(SYS_open_tree, AT_FDCWD, "/", 1); }
static long move_root(void) { return syscall(SYS_pivot_root, "/tmp", "/tmp"); }
static long change_root(void) { return chroot("/tmp"); }
static long open_by_handle(void) {
  struct {
    struct file_handle head;
    unsigned char body[8];
  } handle = {.head = {.handle_bytes = 8, .handle_type = 1}, .body = {2}};
  return open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY);
}

static long user_namespace(void) { return unshare(CLONE_NEWUSER); }
static long mount_namespace(void) { return unshare(CLONE_NEWNS); }
static long network_namespace(void) { return unshare(CLONE_NEWNET); }
static long user_namespace_by_clone(void) {
  long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  return pid;
}
static long user_namespace_by_clone3(void) {
  struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) _exit(0);
  return pid;
}
static long join_namespace(void) {
  int fd = open("/proc/self/ns/user", O_RDONLY);
  return fd < 0 ? -1 : setns(fd, 0);
}

static long read_keyring(void) { return syscall(SYS_keyctl, 0, -3, 1); }
static long add_key(void) { return syscall(SYS_add_key, "user", "x", "y", 1, -3); }
static long request_key(void) { return syscall(SYS_request_key, "user", "x", NULL, 0); }
static long load_bpf(void) { return syscall(SYS_bpf, 0, NULL, 0); }
static long fault_handler(void) { return syscall(SYS_userfaultfd, 1); }
static long io_uring(void) {
  char parameters[120] = {0};
  return syscall(SYS_io_uring_setup, 1, parameters);
}
static long perf_event(void) {
  char attributes[128] = {0};
  return syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0);
}
static long load_kernel(void) { return syscall(SYS_kexec_load, 0, 0, NULL, 0); }
static long load_module(void) { return syscall(SYS_init_module, "", 0, ""); }
static long restart(void) { return syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL); }
static long swap_on(void) { return syscall(SYS_swapon, "/tmp/none", 0); }
static long kernel_log(void) {
  char text[16];
  return syscall(SYS_syslog, 3, text, sizeof text);
}
static long accounting(void) { return syscall(SYS_acct, NULL); }
static long set_clock(void) {
  struct timeval now = {1, 0};
  return settimeofday(&now, NULL);
}
static long set_host_name(void) { return sethostname("x", 1); }
static long type_into_terminal(void) { return ioctl(0, TIOCSTI, "x"); }
static long odd_personality(void) { return syscall(SYS_personality, 0x0400000); }
static long make_device(void) {
  unlink("/tmp/device");
  return mknod("/tmp/device", S_IFBLK | 0666, 254 << 8);
}
static long open_made_device(void) {
  if (make_device() < 0) return -1;
  long result = open_for("/tmp/device", O_RDONLY);
  int reason = errno;
  unlink("/tmp/device");
  errno = reason;
  return result;
}
static long open_disk(void) { return open_for("/dev/vda", O_RDONLY); }
static long open_memory(void) { return open_for("/dev/mem", O_RDONLY); }
static long open_terminal(void) { return open_for("/dev/tty", O_RDWR); }

/* For a copy of this program that belongs to root, with the set-user-id bit. */
static long be_root(void) {
  errno = EPERM;
  return geteuid() == 0 ? 0 : -1;
}
static long become_root(void) { return setuid(0); }
static long become_another(void) { return setresuid(1234, 1234, 1234); }
static long drop_groups(void) { return setgroups(0, NULL); }
static long regain_capability(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct all[2] = {{.effective = ~0u, .permitted = ~0u}, {0}};
  return syscall(SYS_capset, &header, all);
}
static long low_port(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(22)};
  return bind(fd, (struct sockaddr *)&address, sizeof address);
}
static long raise_priority(void) { return setpriority(PRIO_PROCESS, 0, -5); }
static long real_time(void) {
  struct sched_param most = {.sched_priority = 99};
  return sched_setscheduler(0, SCHED_FIFO, &most);
}
static long raise_limit(void) {
  struct rlimit more = {1 << 20, 1 << 20};
  return setrlimit(RLIMIT_NOFILE, &more);
}
static long lower_oom_score(void) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY);
  return fd < 0 ? -1 : write(fd, "-1000", 5);
}

static long raw_socket(void) { return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static long ping_socket(void) { return socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP); }
static long packet_socket(void) { return socket(AF_PACKET, SOCK_RAW, 0); }
static long vsock(void) { return socket(AF_VSOCK, SOCK_STREAM, 0); }
static long kernel_crypto(void) { return socket(AF_ALG, SOCK_SEQPACKET, 0); }
static long bluetooth(void) { return socket(AF_BLUETOOTH, SOCK_RAW, 1); }
static long can_bus(void) { return socket(AF_CAN, SOCK_RAW, 1); }
static long audit_netlink(void) { return socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT); }
static long netfilter_netlink(void) { return socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER); }
static long add_address(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  struct {
    struct nlmsghdr head;
    struct ifaddrmsg body;
    struct rtattr attribute;
    unsigned char address[4];
  } ask = {.head = {.nlmsg_len = sizeof ask,
                    .nlmsg_type = RTM_NEWADDR,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE},
           .body = {.ifa_family = AF_INET, .ifa_prefixlen = 8, .ifa_index = 1},
           .attribute = {8, IFA_LOCAL},
           .address = {10, 0, 0, 1}};
  struct {
    struct nlmsghdr head;
    struct nlmsgerr error;
  } reply;
  if (fd < 0 || send(fd, &ask, sizeof ask, 0) < 0) return -1;
  if (recv(fd, &reply, sizeof reply, 0) < (ssize_t)sizeof reply) return -1;
  errno = -reply.error.error;
  return reply.error.error == 0 ? 0 : -1;
}
static long connect_outside(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
  inet_pton(AF_INET, "1.1.1.1", &address.sin_addr);
  return connect(fd, (struct sockaddr *)&address, sizeof address);
}
static long send_outside(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
  inet_pton(AF_INET, "8.8.8.8", &address.sin_addr);
  return sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof address);
}
static long reach_metadata(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
  inet_pton(AF_INET, "169.254.169.254", &address.sin_addr);
  return connect(fd, (struct sockaddr *)&address, sizeof address);
}
static long connect_outside_v6(void) {
  int fd = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
  inet_pton(AF_INET6, "2606:4700:4700::1111", &address.sin6_addr);
  return connect(fd, (struct sockaddr *)&address, sizeof address);
}
static long multicast(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(5353)};
  inet_pton(AF_INET, "224.0.0.251", &address.sin_addr);
  return sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof address);
}

static const struct {
  const char *name;
  long (*attempt)(void);
} cases[] = {
#define CASE(name) {#name, name}
    CASE(ptrace_attach), CASE(ptrace_seize), CASE(ptrace_own_child), CASE(read_guest_memory),
    CASE(open_guest_memory), CASE(open_guest_environment), CASE(list_guest_files), CASE(write_guest_output),
    CASE(open_guest_root), CASE(steal_guest_file), CASE(limit_guest), CASE(mount_tmpfs),
    CASE(mount_proc), CASE(remount_writable), CASE(bind_mount), CASE(unmount), CASE(new_mount_api),
    CASE(clone_mount), CASE(move_root), CASE(change_root), CASE(open_by_handle),
    CASE(user_namespace), CASE(mount_namespace), CASE(network_namespace),
    CASE(user_namespace_by_clone), CASE(user_namespace_by_clone3), CASE(join_namespace),
    CASE(read_keyring), CASE(add_key), CASE(request_key), CASE(load_bpf), CASE(fault_handler),
    CASE(io_uring), CASE(perf_event), CASE(load_kernel), CASE(load_module), CASE(restart),
    CASE(swap_on), CASE(kernel_log), CASE(accounting), CASE(set_clock), CASE(set_host_name),
    CASE(type_into_terminal), CASE(odd_personality), CASE(make_device), CASE(open_made_device), CASE(open_disk),
    CASE(open_memory), CASE(open_terminal), CASE(be_root), CASE(become_root), CASE(become_another),
    CASE(drop_groups), CASE(regain_capability), CASE(low_port), CASE(raise_priority),
    CASE(real_time), CASE(raise_limit), CASE(lower_oom_score), CASE(raw_socket), CASE(ping_socket),
    CASE(packet_socket), CASE(vsock), CASE(kernel_crypto), CASE(bluetooth), CASE(can_bus),
    CASE(audit_netlink), CASE(netfilter_netlink), CASE(add_address), CASE(connect_outside),
    CASE(send_outside), CASE(reach_metadata), CASE(connect_outside_v6), CASE(multicast),
};

int main(int argc, char **argv) {
  for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++) {
    if (strcmp(argv[1], cases[i].name) != 0) continue;
    errno = 0;
    if (cases[i].attempt() >= 0) puts("allowed");
    else puts(strerrorname_np(errno));
    return 0;
  }
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) fprintf(stderr, "%s\n", cases[i].name);
  return 2;
}
