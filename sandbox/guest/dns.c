/* The sandbox's name server: the names table and nothing else. */
#define _GNU_SOURCE
#include "guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int dns_open(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  struct sockaddr_in at = {.sin_family = AF_INET,
                           .sin_port = htons(53),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr *)&at, sizeof at) == 0) return fd;
  int error = errno;
  close(fd);
  return -error;
}

/* At a pace: a program that asks in a loop must not fill the log. */
static void notify(struct guest *guest, const char *name) {
  if (!output_has_room(&guest->output, NAME_BYTES_MAX) || !pace_allows(&guest->noticing)) return;
  pace_spend(&guest->noticing);
  uint8_t payload[1 + NAME_BYTES_MAX];
  size_t length = strlen(name);
  payload[0] = NOTICE_DNS_DENIED;
  memcpy(payload + 1, name, length);
  output_frame(&guest->output, FRAME_NOTICE, 0, 0, payload, 1 + length);
}

void dns_ready(struct guest *guest) {
  uint8_t query[DNS_MESSAGE_MAX + 1], reply[DNS_MESSAGE_MAX];
  char denied[NAME_BYTES_MAX + 1];
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  ssize_t n =
      recvfrom(guest->dns, query, sizeof query, 0, (struct sockaddr *)&from, &size);
  if (n <= 0) return;
  size_t length = dns_answer(&guest->configuration, query, (size_t)n, reply, denied);
  if (length == 0) return;
  sendto(guest->dns, reply, length, 0, (struct sockaddr *)&from, size);
  if (denied[0]) notify(guest, denied);
}
