/* The guest program: one process, one thread, one poll loop, fixed tables. */
#ifndef AEGIS_GUEST_H
#define AEGIS_GUEST_H

#include "capture.h"
#include "wire.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/types.h>

enum {
  CHANNELS_MAX = HOST_CHANNELS_MAX + RELAY_CHANNELS_MAX,
};

/* ---- output.c: frames on their way to the host ---- */

struct output {
  int fd;
  size_t start, end;
  uint8_t bytes[256 * 1024];
};

/* Whether frames with `payload` bytes in all, and a few small ones, still fit. */
bool output_has_room(const struct output *output, size_t payload);
/* Where a payload may be written in place; commit it with the length it got. */
uint8_t *output_reserve(struct output *output);
void output_commit(struct output *output, uint8_t type, uint8_t flags, uint32_t channel,
                   size_t length);
void output_frame(struct output *output, uint8_t type, uint8_t flags, uint32_t channel,
                  const void *payload, size_t length);
/* Writes what the host takes now. False: the host is gone. */
bool output_flush(struct output *output);

/* ---- flow.c: one direction of one channel, with its window ---- */

/* From the host into a descriptor. */
struct inflow {
  int fd; /* -1: nobody reads any more; bytes are dropped. */
  uint8_t *ring;
  uint32_t size; /* Of the ring: the whole window. */
  uint32_t head, used;
  uint32_t window; /* What the host may still send. */
  uint32_t owed;   /* What it will be granted again. */
  bool ended;      /* The host has sent END. */
};

/* From a descriptor to the host. */
struct outflow {
  int fd;
  uint32_t credit;
  uint64_t left; /* Bytes still wanted. */
  bool ended;    /* END is sent. */
};

struct guest;
struct channel;

/* ---- pace.c: a burst, then so many a second ---- */

struct pace {
  uint32_t burst, per_second;
  uint64_t next_us;
};

uint64_t now_us(void);
bool pace_allows(const struct pace *pace);
void pace_spend(struct pace *pace);

bool inflow_open(struct inflow *flow, int fd, uint32_t window);
/* Accepts a DATA payload. False: the host overran its window. */
bool inflow_receive(struct inflow *flow, const uint8_t *bytes, uint32_t length);
/* Writes what the descriptor takes now; returns the errno of a write that failed for good. */
int inflow_drain(struct inflow *flow);
void inflow_grant(struct guest *guest, struct channel *channel);
void inflow_close(struct inflow *flow);
/* Reads what is there and allowed; returns 0, or the errno of a read that failed for good. */
int outflow_pump(struct guest *guest, struct channel *channel, uint8_t stream);
bool outflow_may_read(const struct guest *guest, const struct outflow *flow);
/* Sends END once; the descriptor stays open. */
void outflow_end(struct guest *guest, struct channel *channel, uint8_t stream);

/* ---- notice.c ---- */

enum { NOTICE_KINDS = 4, NOTICE_BYTES_MAX = 4 + NAME_BYTES_MAX };

/* The last one of its kind. */
struct notice {
  struct pace pace;
  uint64_t at_us;
  size_t length;
  uint8_t payload[NOTICE_BYTES_MAX];
};

void notices_begin(struct guest *guest);
bool notice_may_send(const struct guest *guest, uint8_t kind);
/* False: not told now, since there is no room or the pace forbids it. */
bool notice_send(struct guest *guest, uint8_t kind, const void *payload, size_t length);

/* ---- cgroup.c: what the kernel counts for the sandbox, where that can be seen ---- */

enum cgroup_count {
  CGROUP_CPU_US,
  CGROUP_MEMORY,
  CGROUP_MEMORY_PEAK,
  CGROUP_PIDS,
  CGROUP_OOM_KILLS,
  CGROUP_PIDS_REFUSED,
};

/* False: it cannot be seen, and `value` stays. */
bool cgroup_read(enum cgroup_count what, uint64_t *value);

/* How often a limit of the sandbox struck so far; zero where nobody tells. */
struct limit_hits {
  uint64_t oom_kills, pids_refused;
};

struct limit_hits limit_hits(void);

/* ---- channels ---- */

enum channel_kind { CHANNEL_FREE, CHANNEL_EXEC, CHANNEL_PUT, CHANNEL_GET, CHANNEL_RELAY };

struct channel {
  enum channel_kind kind;
  uint32_t id;
  bool close_sent, close_received;
  struct inflow in;
  struct outflow out[2];

  /* exec */
  pid_t pid;
  bool alive, terminal;
  const char *failed_step; /* Set when the command never started. */
  int failed_error;
  int status_fd; /* How far the child came before its command ran. */
  int exit_status;
  struct rusage usage;
  struct limit_hits hits_before;
  bool ended_full; /* It failed while the sandbox could start no further process. */
  uint64_t drained_by_us; /* Terminal only: when to stop waiting for the last output. */

  /* put, get */
  int file;
  char *path, *partial;
  mode_t mode;

  bool connected; /* relay */
};

enum { WATCHES_MAX = CAPTURE_SOCKETS_MAX };

/* A raw socket that gets what is sent to the addresses of the world and of names. */
struct watch {
  int fd;
  bool is_ipv6;
  uint8_t protocol;
};

struct guest {
  int wire_in, signals, dns;
  bool is_init, configured, wire_has_more;
  struct output output;
  struct configuration configuration;
  bool is_quiet;    /* A snapshot may be taken: nothing but the wire is looked at. */
  bool is_restored; /* Out of a snapshot, as this generation. */
  uint8_t generation[GENERATION_BYTES];
  struct name_table names;
  int listener_fds[LISTENERS_MAX];
  bool listener_is_dual[LISTENERS_MAX]; /* Takes IPv6, too. */
  int score_fd; /* /proc/self/oom_score_adj, opened before the guest became undumpable. */
  char score[8];
  uint32_t last_host_channel, last_guest_channel;
  unsigned host_channels, relay_channels;
  struct pace accepting;
  struct notice notices[NOTICE_KINDS];
  unsigned watch_count;
  struct watch watches[WATCHES_MAX];
  bool more_to_reap;
  struct channel channels[CHANNELS_MAX];
  uint64_t memory_peak;
};

struct channel *channel_find(struct guest *guest, uint32_t id);
struct channel *channel_open(struct guest *guest, enum channel_kind kind, uint32_t id);
/* Sends CLOSE once; `step` NULL means in good order, else it and the errno are the reason. */
void channel_close(struct guest *guest, struct channel *channel, const char *step, int error);
/* Frees the slot once both ends have closed and nothing of it runs. */
void channel_release(struct guest *guest, struct channel *channel);

/* Ends the guest, and with it all it runs. */
_Noreturn void guest_exit(struct guest *guest, const char *why);

/* Ends the guest because the system refused `step`; errno says why. */
_Noreturn void guest_fail(const char *step);

/* ---- main.c ---- */
void say_hello(struct guest *guest);
/* `in` and `out` are the wire from now on; they are closed unless they are below 3. */
void take_wire(struct guest *guest, int in, int out);

/* ---- snapshot.c: of the machine that this guest is the first process of ---- */
/* Makes ready for a snapshot and says whether it did. */
void quiesce(struct guest *guest);
/* Once that is said: waits, however long, until it goes on, and says hello again. */
void rest(struct guest *guest);

/* ---- entropy.c ---- */
bool entropy_is_there(void);
/* What became of each step: 0 or an errno. */
struct reseed {
  int entropy, reseed, clock, proof;
  uint8_t bytes[PROOF_BYTES]; /* What the generator gives from now on. */
};
struct reseed reseed(const uint8_t entropy[ENTROPY_BYTES], uint64_t clock_us);

/* ---- dispatch.c ---- */
/* Takes in what is there. False: the wire has ended. */
bool input_read(struct guest *guest);
/* Whether all that the host sent was taken in. */
bool input_is_empty(void);
void input_drop(void);
/* The payload of the RESUME that has arrived; NULL: not yet. Anything else ends the guest. */
const uint8_t *take_resume(struct guest *guest);
void read_wire(struct guest *guest);
/* Handles what has arrived, as long as the answers have room. */
void handle_input(struct guest *guest);

/* ---- exec.c ---- */
void exec_start(struct guest *guest, uint32_t id, uint8_t *request, size_t length);
void exec_status_ready(struct guest *guest, struct channel *channel);
void exec_signal(struct channel *channel, uint8_t number);
void exec_resize(struct channel *channel, uint16_t rows, uint16_t columns);
/* Hands input to the command; also when only END is new. */
void exec_feed(struct channel *channel);
/* The leader is gone, though not yet reaped. */
void exec_ended(struct guest *guest, struct channel *channel);
/* The host no longer wants it. */
void exec_abandon(struct guest *guest, struct channel *channel);
/* Moves an exec on towards EXIT and CLOSE. */
void exec_settle(struct guest *guest, struct channel *channel);

/* ---- reap.c ---- */
void reap(struct guest *guest);
void kill_everything(struct guest *guest);
void kill_session(pid_t session);

/* ---- confine.c: in the child, before the agent's command ---- */
bool confine_possible(const struct configuration *configuration);
/* Gives up all privileges. False: errno says why. */
bool confine(const struct configuration *configuration);

/* ---- file.c ---- */
void put_start(struct guest *guest, uint32_t id, const uint8_t *payload, size_t length);
void put_data(struct guest *guest, struct channel *channel, const uint8_t *bytes, size_t length);
void put_end(struct guest *guest, struct channel *channel);
void get_start(struct guest *guest, uint32_t id, const uint8_t *payload, size_t length);
void get_pump(struct guest *guest, struct channel *channel);
void file_abandon(struct channel *channel);

/* ---- relay.c ---- */
/* 0, or the errno. */
int listener_open(struct guest *guest, unsigned index);
/* False: nobody waits to be accepted. */
bool relay_accept(struct guest *guest, unsigned listener);
bool relay_may_accept(const struct guest *guest);
void relay_settle(struct guest *guest, struct channel *channel, int error);
void relay_reset(struct channel *channel, bool abort);

/* Whether a connection to there arrives at a listener. */
bool listener_takes(const struct guest *guest, const struct destination *destination);

/* ---- watch.c ---- */
/* Takes the descriptors from `first` on, as many as there are. */
void watches_take(struct guest *guest, int first);
void watches_add(struct guest *guest, int fd);
void watch_ready(struct guest *guest, unsigned index);

/* ---- dns.c ---- */
int dns_open(void); /* Descriptor, or -errno. */
void dns_ready(struct guest *guest);

/* ---- stats.c ---- */
void stats_reply(struct guest *guest, uint32_t request);
bool disk_is_full(void);
/* Whether the sandbox may start no further process. */
bool processes_are_full(void);

/* ---- errno-name.c ---- */
const char *errno_name(int error);

#endif
