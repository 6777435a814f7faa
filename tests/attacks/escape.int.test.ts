import { expect, it } from 'vitest'
import { promptKinds } from '../contract/hosts/host-kinds.ts'
import { openHostScene } from '../contract/hosts/host-scene.ts'
import { describeOnHosts } from '../contract/hosts/sandbox-host.ts'
import { shareAttackBox } from './attack-box.ts'

// What the kernel may answer. ENOSYS: not there for the agent; EACCES and EPERM: refused; the
// network's: no way out. Anything else has to be argued for at the case.
const refused = /^(EPERM|EACCES|ENOSYS)$/
const nowhere = /^(ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL)$/
const absent = /^(ENOENT|ENXIO)$/

const attempts: Readonly<Record<string, readonly (readonly [name: string, answer: RegExp])[]>> = {
  'the guest, which is pid 1': [
    ['ptrace_attach', refused],
    ['ptrace_seize', refused],
    ['read_guest_memory', refused],
    ['open_guest_memory', refused],
    ['open_guest_environment', refused],
    ['list_guest_files', refused],
    ['write_guest_output', refused],
    ['open_guest_root', refused],
    ['steal_guest_file', refused],
    ['limit_guest', refused],
  ],
  'other processes': [['ptrace_own_child', refused]],
  'the mount table': [
    ['mount_tmpfs', refused],
    ['mount_proc', refused],
    ['remount_writable', refused],
    ['bind_mount', refused],
    ['unmount', refused],
    ['new_mount_api', refused],
    ['clone_mount', refused],
    ['move_root', refused],
    ['change_root', refused],
    ['open_by_handle', refused],
  ],
  'new namespaces': [
    ['user_namespace', refused],
    ['mount_namespace', refused],
    ['network_namespace', refused],
    ['user_namespace_by_clone', refused],
    ['user_namespace_by_clone3', refused],
    ['join_namespace', refused],
  ],
  'kernel interfaces with a history': [
    ['read_keyring', refused],
    ['add_key', refused],
    ['request_key', refused],
    ['load_bpf', refused],
    ['fault_handler', refused],
    ['io_uring', refused],
    ['perf_event', refused],
  ],
  'the machine itself': [
    ['load_kernel', refused],
    ['load_module', refused],
    ['restart', refused],
    ['swap_on', refused],
    ['kernel_log', refused],
    ['accounting', refused],
    ['set_clock', refused],
    ['set_host_name', refused],
    ['odd_personality', refused],
  ],
  devices: [
    ['make_device', refused],
    ['open_made_device', refused],
    ['open_disk', absent],
    ['open_memory', absent],
    ['open_terminal', absent],
    ['type_into_terminal', refused],
  ],
  privileges: [
    ['become_root', /^(EPERM|EINVAL)$/], // EINVAL: no such uid in this user namespace.
    ['become_another', /^(EPERM|EINVAL)$/],
    ['drop_groups', refused],
    ['regain_capability', refused],
    ['low_port', refused],
    ['raise_priority', refused],
    ['real_time', refused],
    ['raise_limit', refused],
    ['lower_oom_score', refused],
  ],
  'networks of every kind': [
    ['raw_socket', refused],
    ['ping_socket', refused],
    ['packet_socket', refused],
    ['vsock', refused],
    ['kernel_crypto', refused],
    ['bluetooth', refused],
    ['can_bus', refused],
    ['audit_netlink', refused],
    ['netfilter_netlink', refused],
    ['add_address', refused],
    ['connect_outside', nowhere],
    ['send_outside', nowhere],
    ['reach_metadata', nowhere],
    ['connect_outside_v6', nowhere],
    ['multicast', nowhere],
  ],
}

type Otherwise = Readonly<Record<string, readonly [answer: RegExp, because: string]>>

const lowPorts: Otherwise = {
  low_port: [/^allowed$/, 'all may bind below 1024 in a network where nobody else is'],
}

// Every address of the world is the sandbox itself there, and what nobody takes over ends at once.
const itself: Otherwise = {
  connect_outside: [/^ECONNREFUSED$/, 'nobody listens at it inside, and it is told'],
  reach_metadata: [/^ECONNREFUSED$/, 'nobody listens at it inside, and it is told'],
  connect_outside_v6: [/^ECONNREFUSED$/, 'nobody listens at it inside, and it is told'],
  send_outside: [/^allowed$/, 'the datagram comes back to the sandbox, see network.int.test.ts'],
  multicast: [/^(allowed|ENETUNREACH)$/, 'the datagram comes back to the sandbox'],
}

// Debian's gVisor does not heed that the guest, which is of the agent's user, wants not to be looked
// at. Whoever takes its wire can do what a hostile guest can: end the sandbox (see hostile-guest).
const guestIsLikeOthers: Otherwise = {
  open_guest_environment: [/^allowed$/, 'it holds what the image and the engine say, no secret'],
  list_guest_files: [/^allowed$/, 'on the wire is what the sandbox was told anyway'],
  write_guest_output: [/^allowed$/, 'the host believes no guest, so this one is as good as taken'],
}

// Commands in a machine see their own processes alone.
const guestIsHidden: Otherwise = Object.fromEntries(
  [
    'open_guest_memory',
    'open_guest_environment',
    'list_guest_files',
    'write_guest_output',
    'open_guest_root',
  ].map((name) => [name, [/^ENOENT$/, 'the guest is not in their /proc']] as const),
)

/** Where a host answers otherwise, and why that is no way out either. */
const otherwise: Readonly<Record<string, Otherwise>> = {
  process: { ...lowPorts, ...itself },
  'docker/runc': lowPorts,
  'firecracker/qemu': { ...lowPorts, ...itself, ...guestIsHidden },
  'docker/runsc': {
    ...lowPorts,
    ...guestIsLikeOthers,
    make_device: [/^allowed$/, 'no driver of gVisor stands behind the number, as the next shows'],
    open_made_device: [absent, 'that is how gVisor says so'],
    open_terminal: [/^EIO$/, 'that is how gVisor says that there is none'],
    raise_priority: [/^allowed$/, 'gVisor keeps the number, and the host does not hear of it'],
    real_time: [/^EINVAL$/, 'gVisor knows no such scheduler'],
    lower_oom_score: [/^allowed$/, 'gVisor keeps the number, and the host does not hear of it'],
  },
}

describeOnHosts(promptKinds, 'an agent has no way to', (kind) => {
  const box = shareAttackBox(openHostScene(kind), {}, ['probe'])

  for (const [what, cases] of Object.entries(attempts))
    it.each(cases)(`${what}: %s`, async (name, answer) => {
      const { stdout, stderr, exit } = await box().run('probe', name)
      expect(stderr.toString()).toBe('')
      expect(stdout.toString().trim()).toMatch(otherwise[kind.name]?.[name]?.[0] ?? answer)
      expect(exit.code).toBe(0)
    })

  // That of a machine lies on a disk that its commands do not see.
  it.skipIf(kind.ownKernel)(
    'the guest program: change it, or put another in its place',
    async () => {
      const digest = async () =>
        (await box().sh('sha256sum "$1"', kind.guestPlace)).stdout.toString()
      const before = await digest()
      const { exit } = await box().sh(
        'echo x >> "$1" || rm "$1" || mv "$1" /tmp || chmod 777 "$1" || ln -f /bin/sh "$1"',
        kind.guestPlace,
      )
      expect(exit.code).not.toBe(0)
      expect(before).toContain(kind.guestPlace)
      expect(await digest()).toBe(before)
    },
  )
})
