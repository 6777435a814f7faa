// The only program of an image that has neither shell nor interpreter.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static int copy_input(void) {
  static char buffer[65536];
  ssize_t count;
  while ((count = read(0, buffer, sizeof buffer)) > 0)
    for (ssize_t done = 0; done < count;) {
      ssize_t written = write(1, buffer + done, (size_t)(count - done));
      if (written < 0) return 1;
      done += written;
    }
  return count < 0;
}

int main(int argc, char **argv) {
  const char *verb = argc > 1 ? argv[1] : "";
  if (!strcmp(verb, "echo")) {
    for (int i = 2; i < argc; i++) printf("%s%s", i > 2 ? " " : "", argv[i]);
    puts("");
    return 0;
  }
  if (!strcmp(verb, "cat")) return copy_input();
  if (!strcmp(verb, "env")) {
    for (char **entry = environ; *entry; entry++) puts(*entry);
    return 0;
  }
  if (!strcmp(verb, "exit")) return argc > 2 ? atoi(argv[2]) : 0;
  if (!strcmp(verb, "pause")) return pause();
  fputs("usage: tiny echo WORD... | cat | env | exit CODE | pause\n", stderr);
  return 64;
}
