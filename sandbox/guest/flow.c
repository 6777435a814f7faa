/* One direction of a channel: bytes between a descriptor and the wire, held back by a window. */
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t cost(uint32_t length) { return length < DATA_COST_MIN ? DATA_COST_MIN : length; }

bool inflow_open(struct inflow *flow, int fd, uint32_t window) {
  uint8_t *ring = malloc(window);
  *flow = (struct inflow){.fd = fd, .ring = ring, .size = window, .window = window};
  return ring != NULL;
}

/* The window is as large as the ring, so what the window allows always fits. */
static void ring_push(struct inflow *flow, const uint8_t *bytes, uint32_t length) {
  if (flow->used == 0) flow->head = 0; /* Pages that were never needed are never there. */
  uint32_t tail = (flow->head + flow->used) % flow->size;
  uint32_t first = length < flow->size - tail ? length : flow->size - tail;
  memcpy(flow->ring + tail, bytes, first);
  memcpy(flow->ring, bytes + first, length - first);
  flow->used += length;
}

bool inflow_receive(struct inflow *flow, const uint8_t *bytes, uint32_t length) {
  if (flow->ended || cost(length) > flow->window) return false;
  flow->window -= cost(length);
  if (flow->fd < 0 || flow->ring == NULL) {
    flow->owed += cost(length); /* Nobody reads: swallow it, so that the host is not held up. */
    return true;
  }
  ring_push(flow, bytes, length);
  flow->owed += cost(length) - length;
  return true;
}

int inflow_drain(struct inflow *flow) {
  while (flow->used > 0) {
    uint32_t run = flow->size - flow->head;
    ssize_t n = write(flow->fd, flow->ring + flow->head, flow->used < run ? flow->used : run);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN ? 0 : errno;
    flow->head = (flow->head + (uint32_t)n) % flow->size;
    flow->used -= (uint32_t)n;
    flow->owed += (uint32_t)n;
  }
  return 0;
}

void inflow_grant(struct guest *guest, struct channel *channel) {
  struct inflow *flow = &channel->in;
  bool worth_a_frame = flow->owed >= flow->size / 4;
  if (!worth_a_frame || flow->ended || channel->close_sent || channel->close_received) return;
  uint8_t grant[4];
  write_u32(grant, flow->owed);
  output_frame(&guest->output, FRAME_WINDOW, STREAM_MAIN, channel->id, grant, sizeof grant);
  flow->window += flow->owed;
  flow->owed = 0;
}

/* Forgets the descriptor, which somebody else may still use, and what was not written. */
void inflow_close(struct inflow *flow) {
  flow->owed += flow->used;
  flow->used = 0;
  flow->fd = -1;
  free(flow->ring);
  flow->ring = NULL;
}

bool outflow_may_read(const struct guest *guest, const struct outflow *flow) {
  return flow->fd >= 0 && !flow->ended && flow->credit >= DATA_COST_MIN &&
         output_has_room(&guest->output, PAYLOAD_MAX);
}

void outflow_end(struct guest *guest, struct channel *channel, uint8_t stream) {
  if (channel->out[stream].ended || channel->close_sent) return;
  channel->out[stream].ended = true;
  output_frame(&guest->output, FRAME_END, stream, channel->id, NULL, 0);
}

int outflow_pump(struct guest *guest, struct channel *channel, uint8_t stream) {
  enum { FRAMES_A_TURN = 4 }; /* Then others get theirs. */
  struct outflow *flow = &channel->out[stream];
  for (int i = 0; i < FRAMES_A_TURN && outflow_may_read(guest, flow); i++) {
    uint64_t want = flow->credit < PAYLOAD_MAX ? flow->credit : PAYLOAD_MAX;
    if (want > flow->left) want = flow->left;
    ssize_t n = want == 0 ? 0 : read(flow->fd, output_reserve(&guest->output), want);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN ? 0 : errno;
    if (n == 0) {
      outflow_end(guest, channel, stream);
      return 0;
    }
    output_commit(&guest->output, FRAME_DATA, stream, channel->id, (size_t)n);
    flow->credit -= cost((uint32_t)n);
    flow->left -= (uint64_t)n;
    if ((uint64_t)n < want) return 0;
  }
  return 0;
}
