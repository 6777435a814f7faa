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

/* A client asks for several types of record, one question each. */
static bool was_just_denied(const struct guest *guest, const char *name) {
  enum { ONE_LOOKUP_US = 1000000 };
  return strcmp(guest->last_denied, name) == 0 && now_us() - guest->last_denied_us < ONE_LOOKUP_US;
}

/* At a pace: a program that asks in a loop must not fill the log. */
static void notify(struct guest *guest, const struct dns_event *event) {
  bool denied = event->notice == NOTICE_DNS_DENIED;
  struct pace *pace = denied ? &guest->denying : &guest->answering;
  if (!output_has_room(&guest->output, NAME_BYTES_MAX) || !pace_allows(pace)) return;
  if (denied && was_just_denied(guest, event->name)) return;
  pace_spend(pace);
  uint8_t payload[1 + NAME_BYTES_MAX];
  size_t length = strlen(event->name);
  payload[0] = event->notice;
  memcpy(payload + 1, event->name, length);
  output_frame(&guest->output, FRAME_NOTICE, 0, 0, payload, 1 + length);
  if (!denied) {
    *event->told = true;
    return;
  }
  memcpy(guest->last_denied, event->name, length + 1);
  guest->last_denied_us = now_us();
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
  if (event.notice) notify(guest, &event);
  return true;
}

void dns_ready(struct guest *guest) {
  enum { QUESTIONS_A_TURN = 32 }; /* Then others get theirs. */
  for (int i = 0; i < QUESTIONS_A_TURN && answer_one(guest); i++) continue;
}
