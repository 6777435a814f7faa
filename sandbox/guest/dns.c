/* The sandbox's name server: the table of names and nothing else. */
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

static bool answer_one(struct guest *guest) {
  uint8_t query[DNS_MESSAGE_MAX + 1], reply[DNS_MESSAGE_MAX];
  struct dns_event event;
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  ssize_t n =
      recvfrom(guest->dns, query, sizeof query, 0, (struct sockaddr *)&from, &size);
  if (n < 0) return false;
  size_t length = dns_answer(&guest->names, query, (size_t)n, reply, &event);
  if (length == 0) return true;
  sendto(guest->dns, reply, length, 0, (struct sockaddr *)&from, size);
  if (event.notice == 0) return true;
  bool told = notice_send(guest, event.notice, event.name, strlen(event.name));
  if (event.told) *event.told = told;
  return true;
}

void dns_ready(struct guest *guest) {
  enum { QUESTIONS_A_TURN = 32 }; /* Then others get theirs. */
  for (int i = 0; i < QUESTIONS_A_TURN && answer_one(guest); i++) continue;
}
