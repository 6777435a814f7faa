/*
 * The disks of a machine and the root made of them: the image, never written, under an overlay that takes
 * what every sandbox has and is read-only from then on. /workspace and /tmp are on the scratch disk.
 */
#define _GNU_SOURCE
#include "machine.h"

#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char image_disk[] = "/dev/vdb", scratch_disk[] = "/dev/vdc";
/* Of a scratch disk with partitions: /tmp has the second, so that it cannot fill the first. */
static const char tmp_place[] = "/run/temporary/tmp";
static const char first_part[] = "/dev/vdc1", second_part[] = "/dev/vdc2";
const char new_root[] = "/run/root";

static bool is_there(const void *path) { return access(path, F_OK) == 0; }

static void make_directory(const char *path, mode_t mode) {
  machine_need((mkdir(path, mode) == 0 || errno == EEXIST) && chmod(path, mode) == 0, path);
}

static void mount_image(void) {
  static const char *const types[] = {"erofs", "ext4", "squashfs"};
  bool mounted = false;
  mkdir("/run/image", 0755);
  int error = ENODEV; /* Of a type that the kernel does not have. */
  for (unsigned i = 0; i < sizeof types / sizeof *types && !mounted; i++) {
    mounted = mount(image_disk, "/run/image", types[i], MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) == 0;
    if (!mounted && errno != ENODEV) error = errno;
  }
  errno = error;
  machine_need(mounted, "mounting the image /dev/vdb");
}

static void mount_writable(const char *disk, const char *place) {
  mkdir(place, 0755);
  machine_need(mount(disk, place, "ext4", MS_NOSUID | MS_NODEV | MS_NOATIME, NULL) == 0, disk);
}

static void mount_scratch(void) {
  bool has_parts = is_there(second_part);
  mount_writable(has_parts ? first_part : scratch_disk, "/run/scratch");
  make_directory("/run/scratch/changes", 0755);
  make_directory("/run/scratch/overlay", 0700);
  make_directory("/run/scratch/workspace", 0755);
  if (has_parts) mount_writable(second_part, "/run/temporary");
  else machine_need(symlink("/run/scratch", "/run/temporary") == 0, "/run/temporary");
  make_directory(tmp_place, 01777);
}

void disks_mount(void) {
  machine_need(machine_wait(is_there, image_disk), "waiting for the image /dev/vdb");
  machine_need(machine_wait(is_there, scratch_disk), "waiting for the scratch disk /dev/vdc");
  mount_image();
  mount_scratch();
  mkdir(new_root, 0755);
  machine_need(mount("overlay", new_root, "overlay", MS_NOSUID | MS_NODEV | MS_NOATIME,
                     "lowerdir=/run/image,upperdir=/run/scratch/changes,"
                     "workdir=/run/scratch/overlay") == 0,
               "laying the scratch disk over the image");
}

/* ---- inside the new root ---- */

/* The image is not trusted: a link in its place could lead a mount to anywhere. */
static void mount_point(const char *path, mode_t mode) {
  struct stat about;
  machine_need(mkdir(path, mode) == 0 || errno == EEXIST, path);
  bool fine = lstat(path, &about) == 0 && S_ISDIR(about.st_mode);
  if (!fine) errno = ENOTDIR;
  machine_need(fine, path);
}

static void mount_on(const char *type, const char *path, unsigned long flags, const char *options) {
  mount_point(path, 0755);
  machine_need(mount(type, path, type, flags | MS_NOSUID, options) == 0, path);
}

/* Shows the directory `fd` at `path`. */
static void bind(int fd, const char *path, unsigned long flags) {
  char source[32];
  mount_point(path, 0755);
  snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
  machine_need(fd >= 0 && mount(source, path, NULL, MS_BIND, NULL) == 0, path);
  machine_need(mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | flags, NULL) == 0,
               path);
}

static void make_device(const char *path, unsigned minor_number, unsigned major_number) {
  machine_need(mknod(path, S_IFCHR | 0666, makedev(major_number, minor_number)) == 0 &&
                   chmod(path, 0666) == 0,
               path);
}

/* What a program needs, and nothing of the machine: no disk, no port, no memory. */
static void make_devices(void) {
  mount_on("tmpfs", "/dev", MS_NOEXEC, "mode=755,size=64k");
  make_device("/dev/null", 3, 1);
  make_device("/dev/zero", 5, 1);
  make_device("/dev/full", 7, 1);
  make_device("/dev/random", 8, 1);
  make_device("/dev/urandom", 9, 1);
  make_device("/dev/tty", 0, 5);
  static const char *const links[][2] = {{"pts/ptmx", "/dev/ptmx"},
                                         {"/proc/self/fd", "/dev/fd"},
                                         {"/proc/self/fd/0", "/dev/stdin"},
                                         {"/proc/self/fd/1", "/dev/stdout"},
                                         {"/proc/self/fd/2", "/dev/stderr"}};
  for (unsigned i = 0; i < sizeof links / sizeof *links; i++)
    machine_need(symlink(links[i][0], links[i][1]) == 0, links[i][1]);
  mount_on("devpts", "/dev/pts", MS_NOEXEC, "mode=620,gid=5,ptmxmode=666");
  mount_on("tmpfs", "/dev/shm", MS_NODEV | MS_NOEXEC, "mode=1777,size=64m");
  machine_need(mount(NULL, "/dev", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL) == 0,
               "/dev");
}

/* Where even a powerless user 0 could change the machine, or see more than its sandbox. */
static void seal_kernel_files(void) {
  static const char *const sealed[] = {"/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq",
                                       "/proc/sysrq-trigger"};
  static const char *const hidden[] = {"/proc/cmdline",     "/proc/keys",     "/proc/timer_list",
                                       "/proc/sched_debug", "/proc/kallsyms", "/proc/interrupts"};
  for (unsigned i = 0; i < sizeof sealed / sizeof *sealed; i++) {
    if (access(sealed[i], F_OK) != 0) continue;
    machine_need(mount(sealed[i], sealed[i], NULL, MS_BIND, NULL) == 0 &&
                     mount(NULL, sealed[i], NULL,
                           MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0,
                 sealed[i]);
  }
  for (unsigned i = 0; i < sizeof hidden / sizeof *hidden; i++)
    if (access(hidden[i], F_OK) == 0)
      machine_need(mount("/dev/null", hidden[i], NULL, MS_BIND, NULL) == 0, hidden[i]);
}

static void write_text(const char *path, const char *text) {
  unlink(path); /* A link of the image could lead elsewhere. */
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  machine_need(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
  close(fd);
}

static void name_things(void) {
  mount_point("/etc", 0755);
  write_text("/etc/hostname", "sandbox\n");
  write_text("/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost ip6-localhost\n");
  write_text("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n");
}

static int directory(const char *path) { return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); }

/*
 * Afterwards the old root, with the disks on it, is out of everybody's reach. True: it can be unmounted.
 * An initramfs cannot, since it is the root of all mounts, which would go with it.
 */
static bool pivot(void) {
  machine_need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "making mounts private");
  machine_need(chdir(new_root) == 0, new_root);
  if (syscall(SYS_pivot_root, ".", ".") == 0) return true;
  machine_need(mount(".", "/", NULL, MS_MOVE, NULL) == 0 && chroot(".") == 0 && chdir("/") == 0,
               "entering the root");
  return false;
}

void root_enter(int limits) {
  int workspace = directory("/run/scratch/workspace"), tmp = directory(tmp_place);
  int old = directory("/");
  bool can_unmount = pivot();
  /* Nobody but the guest sees what is not his own: the threads of the kernel, and the guest. */
  mount_on("proc", "/proc", MS_NODEV | MS_NOEXEC, "hidepid=2");
  bind(workspace, "/workspace", 0);
  bind(tmp, "/tmp", 0);
  mount_on("sysfs", "/sys", MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL);
  bind(limits, "/sys/fs/cgroup", MS_RDONLY | MS_NOEXEC);
  make_devices();
  seal_kernel_files();
  name_things();
  /* Detached from within: its path is hidden by the new root. */
  machine_need(fchdir(old) == 0, "the old root");
  if (can_unmount) machine_need(umount2(".", MNT_DETACH) == 0, "leaving the old root");
  machine_need(chdir("/") == 0, "the new root");
  /* What an image lets everybody write is no place for an agent: it would cost /workspace its room. */
  machine_need(mount(NULL, "/", NULL,
                     MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOATIME, NULL) == 0,
               "making the root read-only");
  close(old), close(workspace), close(tmp);
}
