/*
 * The guest as the first process of a micro-VM: what no runtime has prepared, it prepares itself.
 * docs/reference/wire-protocol.md says which disks it finds and what the kernel's command line tells.
 */
#ifndef AEGIS_MACHINE_H
#define AEGIS_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- arguments.c: pure, fuzzed in fuzz/ ---- */

enum { PORT_NAME_MAX = 32, COMMAND_LINE_MAX = 4096 };

struct arguments {
  bool is_vsock;
  uint32_t vsock_port;
  char port_name[PORT_NAME_MAX + 1];
  uint64_t memory_bytes, pids; /* 0: no limit. */
  bool workspace_read_only;
};

/* Reads those that begin with `aegis.`; the kernel's own are not looked at. False: one is missing or
 * means nothing, and `bad` begins there (or is NULL when no wire is named). */
bool arguments_parse(const char *line, struct arguments *arguments, const char **bad);

/* ---- machine.c ---- */

/* Whether this process was started by a kernel rather than by a runtime. */
bool machine_is_booting(void);
struct guest;
/* Makes the sandbox's world and enters it; returns the wire. Powers off when it cannot. */
int machine_boot(struct guest *guest);
/* After the boot, and without a boot: false. */
bool machine_runs(void);
/* The wire again, after whoever held its other end let go of it: `wire`, or a new one. */
int machine_reopen(int wire);
/* Ends the machine at once. Everybody else is dead by now. */
_Noreturn void machine_power_off(void);
/* In a command that is about to start: puts it where its limits are, and its view of /workspace. True
 * also without a machine. */
bool machine_enter(void);
/* /workspace becomes the agent's. */
bool machine_own_workspace(uint32_t uid, uint32_t gid);

/* ---- disks.c ---- */

/* Everything mounted below /run, with the new root at `new_root`. */
void disks_mount(void);
/* Makes `new_root` the root, and in it what every sandbox has; `limits` is the group to show. */
void root_enter(int limits);
extern const char new_root[];

/* ---- wire-port.c ---- */

int wire_open(const struct arguments *arguments);
int wire_reopen(const struct arguments *arguments, int wire);

/* ---- of all of them ---- */

/* As guest_fail, but only when `fine` is false. */
void machine_need(bool fine, const char *step);
/* Waits at most some seconds; false: it never came true. */
bool machine_wait(bool (*is_true)(const void *of), const void *of);

#endif
