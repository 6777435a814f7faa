/* What the host sends: bytes into frames, fragments into requests, each to its channel. */
#include "guest.h"
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct input {
  size_t start, end;
  uint8_t bytes[4 * FRAME_MAX];
};

/* A request that arrives in fragments, one at a time. */
struct assembly {
  uint8_t type; /* 0: none. */
  uint32_t channel;
  size_t length;
  uint8_t bytes[REQUEST_MAX];
};

static struct input input;
static struct assembly assembly;
static uint8_t configuration_bytes[REQUEST_MAX]; /* Holds the names for good. */

/* ---- requests ---- */

enum { STEPS = 4, CONFIGURED_MAX = 4 + PROOF_BYTES + (STEPS + LISTENERS_MAX) * 16 };

/*
 * The proof, and one word per step as for listeners. A machine where one failed might be the twin of
 * another: it does not become ready, so that whatever comes next but its end breaks the protocol.
 */
static size_t prove_reseed(struct guest *guest, uint8_t *at) {
  struct configuration *configuration = &guest->configuration;
  struct reseed result = reseed(configuration->entropy, configuration->clock_us);
  size_t place = (size_t)(configuration->entropy - configuration_bytes);
  explicit_bzero(configuration_bytes + place, ENTROPY_BYTES);
  const int errors[STEPS] = {result.entropy, result.reseed, result.clock, result.proof};
  size_t size = PROOF_BYTES;
  memcpy(at, result.bytes, PROOF_BYTES);
  for (int i = 0; i < STEPS; i++) {
    const char *word = errors[i] ? errno_name(errors[i]) : "OK";
    size += (size_t)sprintf((char *)at + size, "%s%.15s", i ? " " : "", word);
    if (errors[i]) guest->configured = false;
  }
  return size;
}

static void configure(struct guest *guest, const uint8_t *bytes, size_t length) {
  struct configuration *configuration = &guest->configuration;
  const bool had_user = configuration->has_user;
  const uint32_t uid = configuration->uid, gid = configuration->gid;
  if (guest->configured) guest_exit(guest, "configured twice");
  memcpy(configuration_bytes, bytes, length);
  if (!configuration_parse(configuration_bytes, length, configuration))
    guest_exit(guest, "malformed CONFIGURE");
  if (configuration->is_machine != machine_runs())
    guest_exit(guest, "CONFIGURE for another kind of sandbox");
  /* Who stands by since before the snapshot is who it was. */
  if (guest->is_restored && guest->host_channels > 0 &&
      (configuration->has_user != had_user || configuration->uid != uid || configuration->gid != gid))
    guest_exit(guest, "another user than the command that stands by");
  guest->configured = true;
  guest->names.configuration = configuration;

  uint8_t reply[CONFIGURED_MAX];
  char *text = (char *)reply + 2;
  size_t room = sizeof reply - 2;
  if (configuration->is_machine) {
    size_t written = prove_reseed(guest, reply + 2);
    explicit_bzero(assembly.bytes, length);
    text += written;
    room -= written;
  }
  int dns = configuration->has_dns ? dns_open() : -1;
  if (dns >= 0) guest->dns = dns;
  reply[0] = (uint8_t)((dns >= 0 ? CONFIGURED_DNS : 0) |
                       (configuration->is_machine ? CONFIGURED_MACHINE : 0));
  reply[1] = (uint8_t)configuration->listener_count;
  /* One word per listener: `OK`, or why it could not be opened. */
  for (unsigned i = 0; i < configuration->listener_count; i++) {
    int error = listener_open(guest, i);
    int n = snprintf(text, room, "%s%s", i || configuration->is_machine ? " " : "", error ? errno_name(error) : "OK");
    text += n;
    room -= (size_t)n;
  }
  if (!confine_possible(configuration)) {
    errno = EPERM;
    guest_fail("becoming the agent's user");
  }
  if (machine_runs() && configuration->has_user &&
      !machine_own_workspace(configuration->uid, configuration->gid))
    guest_fail("giving /workspace to the agent's user");
  output_frame(&guest->output, FRAME_CONFIGURED, 0, 0, reply, (size_t)(text - (char *)reply));
}

static void assemble(struct guest *guest, const struct frame *frame) {
  bool continues = assembly.type == frame->type && assembly.channel == frame->channel;
  if (assembly.type != 0 && !continues) guest_exit(guest, "a request inside another");
  if (assembly.length + frame->length > REQUEST_MAX) guest_exit(guest, "a request too long");
  memcpy(assembly.bytes + assembly.length, frame->payload, frame->length);
  assembly.length += frame->length;
  assembly.type = frame->type;
  assembly.channel = frame->channel;
  if (frame->flags & FLAG_MORE) return;
  size_t length = assembly.length;
  assembly.type = 0;
  assembly.length = 0;
  if (frame->type == FRAME_EXEC) exec_start(guest, frame->channel, assembly.bytes, length);
  else configure(guest, assembly.bytes, length);
}

static void on_data(struct guest *guest, struct channel *channel, const struct frame *frame) {
  if (!inflow_receive(&channel->in, frame->payload, frame->length))
    guest_exit(guest, "DATA beyond its window or end");
  if (channel->kind == CHANNEL_PUT) put_data(guest, channel, frame->payload, frame->length);
  if (channel->kind == CHANNEL_EXEC) exec_feed(channel);
  if (channel->kind == CHANNEL_RELAY && channel->in.fd >= 0)
    relay_settle(guest, channel, inflow_drain(&channel->in));
  inflow_grant(guest, channel);
}

static void on_end(struct guest *guest, struct channel *channel) {
  if (channel->in.ended) guest_exit(guest, "END twice");
  channel->in.ended = true;
  if (channel->kind == CHANNEL_PUT) put_end(guest, channel);
  if (channel->kind == CHANNEL_EXEC) exec_feed(channel);
  if (channel->kind == CHANNEL_RELAY) relay_settle(guest, channel, 0);
}

static void on_window(struct guest *guest, struct channel *channel, const struct frame *frame) {
  struct outflow *flow = &channel->out[frame->flags];
  uint32_t most = channel->kind == CHANNEL_RELAY ? WINDOW_CONNECTION : WINDOW_LARGE;
  uint32_t grant = read_u32(frame->payload);
  if (grant == 0 || grant > most - flow->credit) guest_exit(guest, "WINDOW beyond its bound");
  flow->credit += grant;
}

static void on_close(struct guest *guest, struct channel *channel, const struct frame *frame) {
  if (channel->close_received) guest_exit(guest, "CLOSE twice");
  channel->close_received = true;
  switch (channel->kind) {
    case CHANNEL_EXEC:
      exec_abandon(guest, channel);
      return;
    case CHANNEL_PUT:
    case CHANNEL_GET:
      file_abandon(channel);
      break;
    case CHANNEL_RELAY:
      relay_reset(channel, frame->length > 0);
      break;
    case CHANNEL_FREE:
      break;
  }
  channel_close(guest, channel, NULL, 0);
  channel_release(guest, channel);
}

static void on_channel_frame(struct guest *guest, const struct frame *frame) {
  struct channel *channel = channel_find(guest, frame->channel);
  if (!channel || channel->close_received) guest_exit(guest, "no such channel");
  bool is_exec = channel->kind == CHANNEL_EXEC, takes_data = channel->kind != CHANNEL_GET;
  switch (frame->type) {
    case FRAME_DATA:
      if (!takes_data) break;
      on_data(guest, channel, frame);
      return;
    case FRAME_END:
      if (!takes_data) break;
      on_end(guest, channel);
      return;
    case FRAME_WINDOW:
      if (channel->kind == CHANNEL_PUT || (frame->flags == STREAM_ERROR && !is_exec)) break;
      on_window(guest, channel, frame);
      return;
    case FRAME_CLOSE:
      on_close(guest, channel, frame);
      return;
    case FRAME_SIGNAL:
      if (!is_exec || frame->payload[0] < 1 || frame->payload[0] > 31) break;
      exec_signal(channel, frame->payload[0]);
      return;
    case FRAME_RESIZE:
      if (!is_exec) break;
      exec_resize(channel, read_u16(frame->payload), read_u16(frame->payload + 2));
      return;
    default:
      break;
  }
  guest_exit(guest, "a frame that its channel does not take");
}

static void on_frame(struct guest *guest, const struct frame *frame) {
  if (!guest->configured && frame->type != FRAME_CONFIGURE && frame->type != FRAME_PING)
    guest_exit(guest, "a frame before CONFIGURE");
  switch (frame->type) {
    case FRAME_PING:
      output_frame(&guest->output, FRAME_PONG, 0, 0, frame->payload, frame->length);
      return;
    case FRAME_STATS:
      stats_reply(guest, read_u32(frame->payload));
      return;
    case FRAME_QUIESCE:
      quiesce(guest);
      return;
    case FRAME_CONFIGURE:
    case FRAME_EXEC:
      assemble(guest, frame);
      return;
    case FRAME_PUT:
      put_start(guest, frame->channel, frame->payload, frame->length);
      return;
    case FRAME_GET:
      get_start(guest, frame->channel, frame->payload, frame->length);
      return;
    default:
      on_channel_frame(guest, frame);
  }
}

/* ---- the wire ---- */

/* Handles what has arrived, as long as the answers have room. */
void handle_input(struct guest *guest) {
  struct frame frame;
  guest->wire_has_more = false;
  while (input.start < input.end && !guest->is_quiet) {
    if (!output_has_room(&guest->output, 0)) {
      guest->wire_has_more = true;
      return;
    }
    int taken = frame_parse(input.bytes + input.start, input.end - input.start, &frame);
    if (taken < 0) guest_exit(guest, "not a frame");
    if (taken == 0) break;
    input.start += (size_t)taken;
    on_frame(guest, &frame);
  }
  memmove(input.bytes, input.bytes + input.start, input.end - input.start);
  input.end -= input.start;
  input.start = 0;
}

bool input_is_empty(void) { return input.start == input.end && assembly.type == 0; }

const uint8_t *take_resume(struct guest *guest) {
  struct frame frame;
  int taken = frame_parse(input.bytes + input.start, input.end - input.start, &frame);
  if (taken == 0) return NULL;
  if (taken < 0 || frame.type != FRAME_RESUME) guest_exit(guest, "a frame before RESUME");
  input.start += (size_t)taken;
  return frame.payload;
}

void input_drop(void) { input.start = input.end = 0; }

bool input_read(struct guest *guest) {
  ssize_t n = read(guest->wire_in, input.bytes + input.end, sizeof input.bytes - input.end);
  if (n > 0) input.end += (size_t)n;
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

void read_wire(struct guest *guest) {
  if (!input_read(guest)) guest_exit(guest, NULL); /* The daemon is gone. */
}
