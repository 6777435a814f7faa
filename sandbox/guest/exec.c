/* Commands: starting them, feeding them, and telling how they ended. */
#define _GNU_SOURCE
#include "guest.h"
#include "machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum { STATUS_FD = 3 }; /* In the child, after 0, 1 and 2. */

enum step { STEP_SETUP, STEP_CONFINE, STEP_CHDIR, STEP_EXEC };
static const char *const step_names[] = {"setup", "confine", "chdir", "exec"};

struct status {
  int step, error;
};

struct wiring {
  int terminal;           /* The master, or -1. */
  int in[2], out[2], err[2], status[2];
};

static void close_all(int *fds, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (fds[i] >= 0) close(fds[i]);
}

static int open_terminal(const struct exec_request *request) {
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  int unlock = 0;
  struct winsize size = {.ws_row = request->rows, .ws_col = request->columns};
  if (master < 0) return -1;
  if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCSWINSZ, &size) < 0) {
    close(master);
    return -1;
  }
  return master;
}

/* Opens everything between the guest and the command. False: errno says why, nothing is left. */
static bool wire_up(const struct exec_request *request, struct wiring *wiring) {
  enum { PIPE_BYTES = 256 * 1024 };
  memset(wiring, 0xff, sizeof *wiring); /* All -1. */
  bool ok = pipe2(wiring->status, O_CLOEXEC) == 0;
  if (request->terminal) {
    ok = ok && (wiring->terminal = open_terminal(request)) >= 0;
  } else {
    ok = ok && pipe2(wiring->in, O_CLOEXEC) == 0 && pipe2(wiring->out, O_CLOEXEC) == 0 &&
         pipe2(wiring->err, O_CLOEXEC) == 0;
  }
  if (!ok) {
    int error = errno;
    close_all((int *)wiring, sizeof *wiring / sizeof(int));
    errno = error;
    return false;
  }
  fcntl(wiring->status[0], F_SETFL, O_NONBLOCK);
  if (!request->terminal) {
    fcntl(wiring->in[1], F_SETFL, O_NONBLOCK);
    fcntl(wiring->out[0], F_SETFL, O_NONBLOCK);
    fcntl(wiring->err[0], F_SETFL, O_NONBLOCK);
    fcntl(wiring->out[0], F_SETPIPE_SZ, PIPE_BYTES); /* Fewer turns; fine when refused. */
  }
  return true;
}

/* ---- in the child ---- */

static int status_fd; /* Where it is now; STATUS_FD once all descriptors are in place. */

static _Noreturn void give_up(enum step step) {
  struct status status = {step, errno};
  ssize_t written = write(status_fd, &status, sizeof status);
  _exit(written < 0 ? 126 : 127);
}

/* By its name only where the kernel cannot open it directly: gVisor before 2023. */
static int open_peer(int terminal) {
  int peer = ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  unsigned number;
  char path[32];
  if (peer >= 0 || errno != ENOTTY || ioctl(terminal, TIOCGPTN, &number) < 0) return peer;
  snprintf(path, sizeof path, "/dev/pts/%u", number);
  return open(path, O_RDWR | O_NOCTTY);
}

static bool arrange_descriptors(const struct guest *guest, const struct wiring *wiring) {
  int in = wiring->in[0], out = wiring->out[1], err = wiring->err[1];
  if (wiring->terminal >= 0) {
    int peer = open_peer(wiring->terminal);
    if (peer < 0 || ioctl(peer, TIOCSCTTY, 0) < 0) return false;
    const struct configuration *user = &guest->configuration;
    if (user->has_user && fchown(peer, user->uid, user->gid) < 0 && errno != EPERM) return false;
    in = out = err = peer;
  }
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) return false;
  /* In its place it has close-on-exec already. */
  if (status_fd != STATUS_FD && dup3(status_fd, STATUS_FD, O_CLOEXEC) < 0) return false;
  status_fd = STATUS_FD;
  return true;
}

static void close_others(void) {
  if (syscall(SYS_close_range, STATUS_FD + 1, ~0u, 0) == 0) return;
  /* Linux before 5.9, and gVisor, where closing all that could be open would take seconds. */
  DIR *open_ones = opendir("/proc/self/fd");
  if (!open_ones) give_up(STEP_SETUP);
  for (struct dirent *entry; (entry = readdir(open_ones));) {
    int fd = atoi(entry->d_name);
    if (fd > STATUS_FD && fd != dirfd(open_ones)) close(fd);
  }
  closedir(open_ones);
}

static void reset_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
}

/* Looks `argv[0]` up as execvp would, in the PATH of the command's own environment. */
static void execute(char **argv, char **environment) {
  if (strchr(argv[0], '/')) {
    execve(argv[0], argv, environment);
    return;
  }
  const char *search = "/usr/local/bin:/usr/bin:/bin";
  for (char **at = environment; *at; at++)
    if (strncmp(*at, "PATH=", 5) == 0) search = *at + 5;
  int error = ENOENT;
  char candidate[PATH_BYTES_MAX + 1];
  size_t name = strlen(argv[0]);
  while (*search) {
    size_t directory = strcspn(search, ":");
    if (directory > 0 && directory + 1 + name < sizeof candidate) {
      memcpy(candidate, search, directory);
      candidate[directory] = '/';
      memcpy(candidate + directory + 1, argv[0], name + 1);
      execve(candidate, argv, environment);
      if (errno != ENOENT && errno != ENOTDIR) error = errno;
      if (error != ENOENT && error != EACCES) break;
    }
    search += directory + (search[directory] == ':');
  }
  errno = error;
}

static _Noreturn void run_child(const struct guest *guest, const struct wiring *wiring,
                                const struct exec_request *request) {
  const struct rlimit no_core = {0, 0};
  status_fd = wiring->status[1];
  setsid();
  if (!machine_enter()) give_up(STEP_SETUP);
  if (!arrange_descriptors(guest, wiring)) give_up(STEP_SETUP);
  close_others();
  reset_signals();
  umask(022);
  if (setrlimit(RLIMIT_CORE, &no_core) < 0) give_up(STEP_SETUP);
  if (!confine(&guest->configuration)) give_up(STEP_CONFINE);
  if (chdir(request->cwd) < 0) give_up(STEP_CHDIR);
  execute(request->argv, request->environment);
  give_up(STEP_EXEC);
}

/* ---- in the guest ---- */

static void write_score(const struct guest *guest, const char *score) {
  if (guest->score_fd < 0) return;
  if (pwrite(guest->score_fd, score, strlen(score), 0) < 0) return; /* A preference, no promise. */
}

/* When memory runs out the kernel shall end a command rather than the guest. */
static pid_t fork_command(const struct guest *guest) {
  write_score(guest, "500");
  pid_t pid = fork();
  if (pid != 0) write_score(guest, guest->score);
  return pid;
}

static void adopt(struct channel *channel, const struct wiring *wiring) {
  int in = wiring->terminal >= 0 ? wiring->terminal : wiring->in[1];
  int out = wiring->terminal >= 0 ? wiring->terminal : wiring->out[0];
  inflow_open(&channel->in, in, WINDOW_SMALL);
  channel->out[0] = (struct outflow){.fd = out, .credit = WINDOW_LARGE, .left = UINT64_MAX};
  channel->out[1] = (struct outflow){
      .fd = wiring->err[0], .credit = WINDOW_LARGE, .left = wiring->err[0] < 0 ? 0 : UINT64_MAX};
  channel->terminal = wiring->terminal >= 0;
  channel->status_fd = wiring->status[0];
}

void exec_start(struct guest *guest, uint32_t id, uint8_t *bytes, size_t length) {
  static char *vector[VECTOR_MAX + 2];
  struct exec_request request;
  if (!exec_parse(bytes, length, vector, &request)) guest_exit(guest, "malformed EXEC");

  struct channel *channel = channel_open(guest, CHANNEL_EXEC, id);
  struct wiring wiring;
  if (!wire_up(&request, &wiring)) {
    channel_close(guest, channel, "setup", errno);
    return;
  }
  adopt(channel, &wiring);
  channel->hits_before = limit_hits();
  channel->pid = channel->in.ring ? fork_command(guest) : (errno = ENOMEM, -1);
  if (channel->pid == 0) run_child(guest, &wiring, &request);
  int error = errno;
  int childs[] = {wiring.in[0], wiring.out[1], wiring.err[1], wiring.status[1]};
  close_all(childs, sizeof childs / sizeof *childs);
  channel->alive = channel->pid > 0;
  if (!channel->alive) channel_close(guest, channel, "fork", error);
}

void exec_status_ready(struct guest *guest, struct channel *channel) {
  struct status status;
  ssize_t n = read(channel->status_fd, &status, sizeof status);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  close(channel->status_fd);
  channel->status_fd = -1;
  if (n == sizeof status) {
    channel->failed_step = step_names[status.step];
    channel->failed_error = status.error;
  } else if (!channel->close_sent && !channel->close_received) {
    output_frame(&guest->output, FRAME_STARTED, 0, channel->id, NULL, 0);
  }
}

void exec_signal(struct channel *channel, uint8_t number) {
  if (!channel->alive) return;
  bool has_group = kill(-channel->pid, number) == 0;
  if (!has_group) kill(channel->pid, number); /* Before setsid there is only the process. */
  if (number == SIGKILL) kill_session(channel->pid);
}

void exec_resize(struct channel *channel, uint16_t rows, uint16_t columns) {
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  if (channel->terminal && channel->out[0].fd >= 0) ioctl(channel->out[0].fd, TIOCSWINSZ, &size);
}

static void close_input(struct channel *channel) {
  if (channel->in.fd >= 0 && !channel->terminal) close(channel->in.fd);
  inflow_close(&channel->in);
}

void exec_feed(struct channel *channel) {
  static const char end_of_transmission = 4;
  struct inflow *in = &channel->in;
  if (in->fd < 0) return;
  bool broken = inflow_drain(in) != 0; /* EPIPE: the command no longer reads. */
  if (in->ended && in->used == 0 && channel->terminal && !broken)
    broken = write(in->fd, &end_of_transmission, 1) != -1 || errno != EAGAIN;
  else if (in->ended && in->used == 0)
    broken = true;
  if (broken) close_input(channel);
}

static void close_descriptors(struct channel *channel) {
  close_input(channel);
  if (channel->status_fd >= 0) close(channel->status_fd);
  for (int i = 0; i < 2; i++) {
    if (channel->out[i].fd >= 0) close(channel->out[i].fd);
    channel->out[i].fd = -1;
  }
  channel->status_fd = -1;
}

/*
 * What the command left in its pipes still belongs to it; what a survivor adds later does not. A
 * terminal delivers late, so there the end of file is waited for, within bounds.
 */
void exec_ended(struct guest *guest, struct channel *channel) {
  enum { TERMINAL_GRACE_US = 1000000 };
  if (channel->status_fd >= 0) exec_status_ready(guest, channel);
  for (int i = 0; i < 2; i++) {
    int waiting = 0;
    if (channel->out[i].fd >= 0 && !channel->terminal &&
        ioctl(channel->out[i].fd, FIONREAD, &waiting) == 0)
      channel->out[i].left = (uint64_t)waiting;
  }
  channel->drained_by_us = channel->terminal ? now_us() + TERMINAL_GRACE_US : 0;
}

void exec_abandon(struct guest *guest, struct channel *channel) {
  if (channel->alive) exec_signal(channel, SIGKILL);
  close_descriptors(channel);
  exec_settle(guest, channel);
}

/* Which limits struck while the command ran. Of one that succeeded none is worth telling. */
static uint16_t limits_met(const struct channel *channel) {
  const struct limit_hits *before = &channel->hits_before, now = limit_hits();
  return (uint16_t)((disk_is_full() ? EXIT_DISK_FULL : 0) |
                    (now.oom_kills > before->oom_kills ? EXIT_OOM_KILL : 0) |
                    (channel->ended_full || now.pids_refused > before->pids_refused ? EXIT_PIDS_REFUSED
                                                                                    : 0));
}

static void send_exit(struct guest *guest, const struct channel *channel) {
  bool signalled = WIFSIGNALED(channel->exit_status);
  bool failed = signalled || WEXITSTATUS(channel->exit_status) != 0;
  const struct rusage *usage = &channel->usage;
  uint8_t payload[28];
  payload[0] = signalled ? EXIT_SIGNAL : EXIT_CODE;
  payload[1] = (uint8_t)(signalled ? WTERMSIG(channel->exit_status)
                                   : WEXITSTATUS(channel->exit_status));
  write_u16(payload + 2, failed ? limits_met(channel) : 0);
  write_u64(payload + 4, (uint64_t)usage->ru_utime.tv_sec * 1000000 + (uint64_t)usage->ru_utime.tv_usec);
  write_u64(payload + 12, (uint64_t)usage->ru_stime.tv_sec * 1000000 + (uint64_t)usage->ru_stime.tv_usec);
  write_u64(payload + 20, (uint64_t)usage->ru_maxrss * 1024);
  output_frame(&guest->output, FRAME_EXIT, 0, channel->id, payload, sizeof payload);
}

void exec_settle(struct guest *guest, struct channel *channel) {
  if (channel->alive) return;
  if (!channel->close_sent && !channel->close_received && !channel->failed_step) {
    bool late = channel->terminal && now_us() >= channel->drained_by_us;
    for (uint8_t i = 0; i < 2; i++) {
      int waiting = 0;
      if (late && channel->out[i].fd >= 0 && ioctl(channel->out[i].fd, FIONREAD, &waiting) == 0 &&
          waiting == 0)
        channel->out[i].left = 0;
      if (channel->out[i].left == 0) outflow_end(guest, channel, i);
    }
    if (!channel->out[0].ended || !channel->out[1].ended) return;
    send_exit(guest, channel);
  }
  close_descriptors(channel);
  channel_close(guest, channel, channel->failed_step, channel->failed_error);
  channel_release(guest, channel);
}
