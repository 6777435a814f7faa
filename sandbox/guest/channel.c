/* The table of channels. A slot is free again once both ends have said CLOSE. */
#include "guest.h"

#include <stdio.h>
#include <string.h>

struct channel *channel_find(struct guest *guest, uint32_t id) {
  for (int i = 0; i < CHANNELS_MAX; i++) {
    struct channel *channel = &guest->channels[i];
    if (channel->kind != CHANNEL_FREE && channel->id == id) return channel;
  }
  return NULL;
}

static unsigned *counter(struct guest *guest, enum channel_kind kind) {
  return kind == CHANNEL_RELAY ? &guest->relay_channels : &guest->host_channels;
}

struct channel *channel_open(struct guest *guest, enum channel_kind kind, uint32_t id) {
  if (kind != CHANNEL_RELAY) {
    if (id <= guest->last_host_channel) guest_exit(guest, "a channel number was used twice");
    if (guest->host_channels == HOST_CHANNELS_MAX) guest_exit(guest, "too many channels");
    guest->last_host_channel = id;
  }
  struct channel *channel = guest->channels;
  while (channel->kind != CHANNEL_FREE) channel++; /* The counts leave at least one slot. */
  *channel = (struct channel){.kind = kind, .id = id, .status_fd = -1, .file = -1};
  channel->in = (struct inflow){.fd = -1, .size = WINDOW_SMALL, .window = WINDOW_SMALL};
  channel->out[0].fd = channel->out[1].fd = -1;
  (*counter(guest, kind))++;
  return channel;
}

void channel_close(struct guest *guest, struct channel *channel, const char *step, int error) {
  char reason[REASON_MAX] = "";
  if (channel->close_sent) return;
  channel->close_sent = true;
  if (step) snprintf(reason, sizeof reason, "%s %s", step, errno_name(error));
  output_frame(&guest->output, FRAME_CLOSE, 0, channel->id, reason, strlen(reason));
}

void channel_release(struct guest *guest, struct channel *channel) {
  if (!channel->close_sent || !channel->close_received || channel->alive) return;
  (*counter(guest, channel->kind))--;
  channel->kind = CHANNEL_FREE;
}
