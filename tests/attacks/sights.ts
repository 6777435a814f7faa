/** What a sandbox sees that depends on its kind. */
export interface Sight {
  /** The host's name, the users, and who the agent is. */
  readonly identity: RegExp
  /** Places in /dev that take what is written to them and keep nothing, or no more than a little. */
  readonly writable: readonly string[]
  /** Flags of a host path that was lent for writing. */
  readonly lent: RegExp
  /** Lines that /proc/self/status lacks. */
  readonly untold: RegExp
  /** Files of the kernel that do not speak of the host's. */
  readonly invented: readonly string[]
  /** Whether no signal does anything to the guest. Else an agent may end its own sandbox by it. */
  readonly guestStays: boolean
}

/** By the name of the kind. */
export const sights: Readonly<Record<string, Sight>> = {
  process: {
    identity: /^sandbox\nagent:x:1000:.*\nnobody:.*\n1000\n1000\n$/,
    writable: ['pts', 'pts/ptmx'],
    lent: /nosuid,nodev/,
    untold: /^$/,
    invented: [],
    guestStays: true,
  },
  'docker/runc': {
    identity: /^sandbox\nroot:[\s\S]*\n65532\n65532\n$/,
    // Message queues of the sandbox's own, 800 KiB of them at most.
    writable: ['pts/ptmx', 'mqueue'],
    // Docker has no way to say nosuid. That a file gets no such bit is the guest's doing.
    lent: /rw/,
    untold: /^$/,
    invented: [],
    guestStays: true,
  },
  'docker/runsc': {
    identity: /^sandbox\nroot:[\s\S]*\n65532\n65532\n$/,
    // Those of gVisor's own kernel, which serve whoever may mount and make interfaces: nobody.
    writable: ['pts/ptmx', 'fuse', 'net/tun'],
    lent: /rw/,
    // gVisor has no ambient set, and does not tell that nothing is gained by exec; see there.
    untold: /^(CapAmb|NoNewPrivs):/,
    invented: ['/proc/cmdline'],
    guestStays: false,
  },
  'firecracker/qemu': {
    identity: /^sandbox\nroot:[\s\S]*\n1000\n1000\n$/,
    writable: ['pts/ptmx'],
    // Nothing is.
    lent: /^$/,
    untold: /^$/,
    invented: [],
    guestStays: true,
  },
}
