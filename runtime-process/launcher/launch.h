/* What the parts of the launcher share. */
#ifndef AEGIS_LAUNCH_H
#define AEGIS_LAUNCH_H

/* Both say why on stderr, and exit. */
_Noreturn void fail(const char *step, const char *what);
_Noreturn void misuse(const char *what, const char *value);

void write_file(const char *path, const char *text);

/* ---- network.c ---- */

/* Enters a network namespace of its own, in which nothing is but the loopback. */
void enter_network(void);

#endif
