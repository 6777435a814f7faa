/* The addresses of the world, led to the loopback. */
#ifndef AEGIS_CAPTURE_H
#define AEGIS_CAPTURE_H

enum { CAPTURE_SOCKETS_MAX = 4 };

/*
 * Removes every network device but the loopback; one that cannot be removed, as the end of a tunnel that
 * the kernel holds ready, is shut. False: errno says why.
 */
int loopback_alone(void);

/*
 * Raises the loopback of this network, in which nothing else is, and leads all addresses of the world
 * there. Opens sockets that get the first packet of each connection, and each datagram, to one of
 * them. NULL, or which step failed; errno says why.
 */
const char *capture_network(int sockets[CAPTURE_SOCKETS_MAX], int *count);

#endif
