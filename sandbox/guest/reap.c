/* Children that ended, their orphans, and the end of everybody. */
#define _GNU_SOURCE
#include "guest.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Calls `visit` with the parent and session of every process that /proc shows. */
static bool any_process(bool (*visit)(pid_t pid, pid_t parent, pid_t session, pid_t wanted),
                        pid_t wanted) {
  DIR *proc = opendir("/proc");
  bool found = false;
  if (!proc) return false;
  for (struct dirent *entry; (entry = readdir(proc));) {
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%.20s/stat", entry->d_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    if (n <= 0) continue;
    text[n] = 0;
    const char *after_name = strrchr(text, ')'); /* The name itself may hold anything. */
    char state;
    int parent, group, session;
    if (!after_name ||
        sscanf(after_name + 1, " %c %d %d %d", &state, &parent, &group, &session) != 4)
      continue;
    if (state == 'Z' || state == 'X') continue;
    found |= visit(atoi(entry->d_name), parent, session, wanted);
  }
  closedir(proc);
  return found;
}

static bool kill_if_in_session(pid_t pid, pid_t parent, pid_t session, pid_t wanted) {
  (void)parent;
  return session == wanted && pid != wanted && kill(pid, SIGKILL) == 0;
}

static bool kill_if_child(pid_t pid, pid_t parent, pid_t session, pid_t wanted) {
  (void)session;
  return parent == wanted && kill(pid, SIGKILL) == 0;
}

/* Kills what belongs to a session beyond its leader, whatever process groups it made. */
void kill_session(pid_t session) {
  enum { ROUNDS = 16 }; /* A fork may slip through one pass. */
  kill(-session, SIGKILL);
  for (int i = 0; i < ROUNDS && any_process(kill_if_in_session, session); i++) continue;
}

static unsigned commands_alive(const struct guest *guest) {
  unsigned count = 0;
  for (int i = 0; i < CHANNELS_MAX; i++)
    count += guest->channels[i].kind == CHANNEL_EXEC && guest->channels[i].alive;
  return count;
}

static bool is_other(pid_t pid, pid_t parent, pid_t session, pid_t own) {
  (void)parent, (void)session;
  return pid != own;
}

/*
 * An init may kill all others in one stroke. On Linux no fork escapes it; on gVisor one does now and
 * then, so there it is struck again while somebody lives. Others kill their children.
 */
void kill_everything(struct guest *guest) {
  enum { STROKES = 64, GENERATIONS = 256 };
  if (guest->is_init) {
    for (int i = 0; i < STROKES && kill(-1, SIGKILL) == 0; i++) {
      if (!any_process(is_other, getpid())) return;
      sched_yield();
    }
    return;
  }
  for (int i = 0; i < CHANNELS_MAX; i++)
    if (guest->channels[i].kind == CHANNEL_EXEC && guest->channels[i].alive)
      kill_session(guest->channels[i].pid);
  /* Whose parent dies becomes our child, so that each round reaches one generation further. */
  for (int i = 0; i < GENERATIONS && any_process(kill_if_child, getpid()); i++) sched_yield();
}

static struct channel *leader(struct guest *guest, pid_t pid) {
  for (int i = 0; i < CHANNELS_MAX; i++) {
    struct channel *channel = &guest->channels[i];
    if (channel->kind == CHANNEL_EXEC && channel->alive && channel->pid == pid) return channel;
  }
  return NULL;
}

void reap(struct guest *guest) {
  enum { A_TURN = 256 }; /* A flood of zombies must not starve the wire. */
  guest->more_to_reap = false;
  for (int i = 0; i < A_TURN && output_has_room(&guest->output, 0); i++) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) return;
    pid_t pid = info.si_pid;
    struct channel *channel = leader(guest, pid);
    if (!channel) {
      waitpid(pid, NULL, WNOHANG);
      continue;
    }
    bool failed = info.si_code != CLD_EXITED || info.si_status != 0;
    channel->ended_full = failed && processes_are_full();
    /* While the leader is a zombie its number, and so its group's and session's, is not reused. */
    if (commands_alive(guest) == 1) kill_everything(guest);
    else kill_session(pid);
    exec_ended(guest, channel);
    wait4(pid, &channel->exit_status, 0, &channel->usage);
    channel->alive = false;
    exec_settle(guest, channel);
  }
  guest->more_to_reap = true;
}
