/*
 * Takes all it can get of one resource.
 *
 *   bomb KIND
 *   bomb zombies COUNT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static void *sleep_forever(void *unused) {
  for (;;) pause();
  return unused;
}

static int give_up(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 1;
}

/* Doubles with every turn, as the shell's :(){ :|:& };: does. */
static int forks(void) {
  for (;;)
    if (fork() < 0 && errno != EAGAIN) return give_up("fork");
}
static int forks_once_refused(void) {
  for (;;) {
    pid_t pid = fork();
    if (pid < 0) return give_up("fork");
    if (pid == 0) sleep_forever(NULL);
  }
}
static int threads(void) {
  for (;;) {
    pthread_t thread;
    errno = pthread_create(&thread, NULL, sleep_forever, NULL);
    if (errno != 0) return give_up("thread");
  }
}
static long zombies_wanted;
static int zombies(void) {
  for (long count = 0; count < zombies_wanted; count++) {
    pid_t pid = fork();
    if (pid < 0) return give_up("fork");
    /* The grandchild's parent is gone, so the guest has to bury it. */
    if (pid == 0) {
      if (fork() == 0) _exit(0);
      _exit(0);
    }
    if (count % 2 == 0) while (waitpid(-1, NULL, 0) > 0);
  }
  return 0;
}
static int memory(void) {
  for (;;) {
    char *block = malloc(MIB);
    if (block == NULL) return give_up("malloc");
    memset(block, 1, MIB);
  }
}
static int shared_segments(void) {
  for (;;) {
    int id = shmget(IPC_PRIVATE, 8 * MIB, IPC_CREAT | 0600);
    char *block = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
    if (block == (void *)-1) return give_up("shm");
    memset(block, 1, 8 * MIB);
  }
}
static int memory_files(void) {
  static char block[MIB];
  for (;;) {
    int fd = memfd_create("x", 0);
    if (fd < 0) return give_up("memfd");
    for (int i = 0; i < 8; i++)
      if (write(fd, block, sizeof block) < 0) return give_up("write");
  }
}
static int socket_buffers(void) {
  static char block[65536];
  for (;;) {
    int pair[2], size = 16 * MIB;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return give_up("socketpair");
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    while (send(pair[0], block, sizeof block, MSG_DONTWAIT) > 0);
  }
}
static int pipes(void) {
  static char block[65536];
  for (;;) {
    int pair[2];
    if (pipe2(pair, O_NONBLOCK) != 0) return give_up("pipe");
    fcntl(pair[1], F_SETPIPE_SZ, MIB);
    while (write(pair[1], block, sizeof block) > 0);
  }
}
static int tiny_files(void) {
  for (long count = 0;; count++) {
    char name[32];
    snprintf(name, sizeof name, "/tmp/%ld", count);
    int fd = open(name, O_CREAT | O_WRONLY, 0600);
    if (fd < 0) return give_up(name);
    close(fd);
  }
}
static int deep_directories(void) {
  if (chdir("/tmp") != 0) return give_up("/tmp");
  for (;;)
    if (mkdir("d", 0700) != 0 || chdir("d") != 0) return give_up("mkdir");
}

static const struct {
  const char *name;
  int (*go)(void);
} kinds[] = {
#define KIND(name) {#name, name}
    KIND(forks),        KIND(forks_once_refused), KIND(threads),        KIND(zombies),
    KIND(memory),       KIND(shared_segments),    KIND(memory_files),   KIND(socket_buffers),
    KIND(pipes),        KIND(tiny_files),         KIND(deep_directories),
};

/* As many descriptors as may be had at all, so that they are not what ends it. */
static void raise_own_limit(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv) {
  raise_own_limit();
  if (argc == 3) zombies_wanted = atol(argv[2]);
  for (size_t i = 0; argc >= 2 && i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(argv[1], kinds[i].name) == 0) return kinds[i].go();
  return 2;
}
