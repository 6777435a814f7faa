/* The wire of a machine: a named port of a virtio console, or a connection to the host over vsock. */
#define _GNU_SOURCE
#include "machine.h"

#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

enum { PATH_SIZE = 300 };

/* ---- a port of a virtio console ---- */

static bool has_name(const char *directory, const char *name) {
  char path[PATH_SIZE], text[PORT_NAME_MAX + 2];
  snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", directory);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n <= 0) return false;
  text[n] = 0;
  text[strcspn(text, "\n")] = 0;
  return strcmp(text, name) == 0;
}

static char port_path[PATH_SIZE];

static bool port_is_there(const void *name) {
  DIR *ports = opendir("/sys/class/virtio-ports");
  bool found = false;
  for (struct dirent *entry; ports && !found && (entry = readdir(ports));) {
    if (entry->d_name[0] == '.' || !has_name(entry->d_name, name)) continue;
    snprintf(port_path, sizeof port_path, "/dev/%s", entry->d_name);
    found = access(port_path, F_OK) == 0;
  }
  if (ports) closedir(ports);
  return found;
}

/* A port whose other end nobody holds reads as ended, and says so as a hang-up. */
static bool port_is_held(const void *fd) {
  struct pollfd polled = {.fd = *(const int *)fd, .events = POLLOUT};
  return poll(&polled, 1, 0) >= 0 && !(polled.revents & POLLHUP);
}

static int open_port(const char *name) {
  machine_need(machine_wait(port_is_there, name), "waiting for the port of the wire");
  int fd = open(port_path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  machine_need(fd >= 0, "opening the port of the wire");
  machine_need(machine_wait(port_is_held, &fd), "waiting for the host at the port");
  return fd;
}

/* ---- vsock ---- */

struct dial {
  unsigned port;
  int *fd;
};

static bool is_connected(const void *of) {
  const struct dial *dial = of;
  const struct sockaddr_vm host = {
      .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = dial->port};
  *dial->fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (*dial->fd < 0) return false; /* Its driver may come up later than we do. */
  if (connect(*dial->fd, (const struct sockaddr *)&host, sizeof host) == 0) return true;
  close(*dial->fd);
  return false;
}

static int open_vsock(unsigned port) {
  int fd = -1;
  const struct dial dial = {port, &fd};
  machine_need(machine_wait(is_connected, &dial), "connecting to the host over vsock");
  return fd;
}

int wire_reopen(const struct arguments *arguments, int wire) {
  if (arguments->is_vsock) return open_vsock(arguments->vsock_port);
  machine_need(machine_wait(port_is_held, &wire), "waiting for the host at the port");
  return wire;
}

int wire_open(const struct arguments *arguments) {
  return arguments->is_vsock ? open_vsock(arguments->vsock_port) : open_port(arguments->port_name);
}
