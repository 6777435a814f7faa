/* What the parts of the launcher share. */
#ifndef AEGIS_LAUNCH_H
#define AEGIS_LAUNCH_H

#include "capture.h"

/* Both say why on stderr, and exit. */
_Noreturn void fail(const char *step, const char *what);
_Noreturn void misuse(const char *what, const char *value);

void write_file(const char *path, const char *text);

/* ---- network.c ---- */

enum { WATCHES_MAX = CAPTURE_SOCKETS_MAX };

/*
 * Enters a network namespace of its own, in which nothing is but the loopback, and all addresses of
 * the world lead there. Opens sockets that get the first packet of each connection, and each
 * datagram, to one of them: as many as it returns.
 */
int enter_network(int watches[WATCHES_MAX]);

#endif
