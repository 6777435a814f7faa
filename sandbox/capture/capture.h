/* The addresses of the world, led to the loopback. */
#ifndef AEGIS_CAPTURE_H
#define AEGIS_CAPTURE_H

enum { CAPTURE_SOCKETS_MAX = 4 };

/*
 * Raises the loopback of this network, in which nothing else is, and leads all addresses of the world
 * there. Opens sockets that get the first packet of each connection, and each datagram, to one of
 * them. NULL, or which step failed; errno says why.
 */
const char *capture_network(int sockets[CAPTURE_SOCKETS_MAX], int *count);

#endif
