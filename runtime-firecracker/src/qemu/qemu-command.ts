import { guestArguments, vsockPort } from '../guest/guest-arguments.ts'
import type { GuestKernel, MachinePlan } from '../machine/machine-plan.ts'

/** Where the parts of a machine lie in the box that QEMU runs in. */
export const inBox = {
  kernel: '/m/kernel',
  initramfs: '/m/initramfs',
  guest: '/m/guest',
  image: '/m/image',
  scratch: '/m/scratch',
  qmp: '/m/qmp',
  memory: '/m/memory',
  /** The daemon's socket for the state of a machine that a snapshot is made of. */
  state: '/m/state',
  own: '/m/own',
  incoming: '/m/own/incoming',
  /** The program that is the vsock device of this machine. */
  vsockProgram: '/m/vsock-device',
  /** Where it waits for QEMU. */
  vsockDevice: '/m/own/device',
  /** Where it takes calls to the guest; those of the guest go to the same name with the port behind it. */
  vsock: '/m/own/v.sock',
} as const

export interface QemuCommand {
  readonly acceleration: 'kvm' | 'tcg'
  readonly vcpus: number
  readonly memoryBytes: number
  readonly kernel: Pick<GuestKernel, 'arguments' | 'initramfs' | 'needsAcpi'>
  readonly guest: MachinePlan['guest']
  /** Frequency of the host's time stamp counter, which a guest without a PIT cannot find out. */
  readonly tscKhz: number | undefined
  /** Absent: anonymous memory. */
  readonly memory?: MemoryKind
  /** What the wire goes over: a port of a virtio console (the default), or vsock as with Firecracker. */
  readonly wire?: QemuWire
}

export type QemuWire = 'port' | 'vsock'

/**
 * `file`: a file that a snapshot can be made of. `image`: copy-on-write over the file of a snapshot,
 * which is opened for reading. `copy`: the same over a file of its own, for a QEMU that opens no file
 * for reading whose image it changes. `shared`: with the program that is its vsock device.
 */
export type MemoryKind = 'file' | 'image' | 'copy' | 'shared'

/** Bytes of the last words of a guest's kernel that QEMU keeps. */
export const consoleBytes = 16 << 10

/** What the wire's port is called inside. */
export const wirePort = 'aegis.wire'

/**
 * Arguments of one QEMU. The machine has processors, memory, three disks, a console that is kept in a
 * ring, and one way to the host; no network, no firmware tables, no other device.
 */
export function qemuArguments(command: QemuCommand): readonly string[] {
  const { acceleration, kernel, wire = 'port' } = command
  const memory = wire === 'vsock' ? 'shared' : command.memory
  const mebibytes = Math.ceil(command.memoryBytes / (1 << 20))
  return [
    ...['-M', machineType(kernel.needsAcpi === true, memory !== undefined)],
    ...['-accel', acceleration === 'tcg' ? `tcg,thread=multi,tb-size=${codeCacheMiB}` : 'kvm'],
    // QEMU 7.2 gets cmpxchg16b wrong: kernels that use it die at random.
    ...['-cpu', acceleration === 'kvm' ? 'host' : 'max,-cx16'],
    // Several emulated processors get in each other's way: kernels were seen to die while they boot.
    ...['-m', `${mebibytes}`, '-smp', `${acceleration === 'tcg' ? 1 : command.vcpus}`],
    ...(memory ? ['-object', memoryBackend(memory, mebibytes)] : []),
    ...['-nodefaults', '-no-user-config', '-display', 'none'],
    // A guest that ends stands still, so that its last words can be read.
    ...['-no-reboot', '-no-shutdown'],
    ...['-sandbox', confinement],
    ...['-kernel', inBox.kernel],
    ...(kernel.initramfs === undefined ? [] : ['-initrd', inBox.initramfs]),
    ...['-append', kernelArguments(command).join(' ')],
    ...disk('guest', inBox.guest, true),
    ...disk('image', inBox.image, true),
    ...disk('scratch', inBox.scratch, false),
    ...['-device', 'virtio-serial-device,max_ports=2'],
    ...[
      '-chardev',
      `ringbuf,id=console,size=${consoleBytes}`,
      '-device',
      'virtconsole,chardev=console',
    ],
    ...wires[wire],
    ...['-chardev', `socket,id=qmp,path=${inBox.qmp}`, '-mon', 'chardev=qmp,mode=control'],
    ...(memory === 'image' || memory === 'copy' ? ['-incoming', 'defer'] : []),
  ]
}

/** The guest's kernel: all that every guest gets, then what this one needs. */
export function kernelArguments(command: QemuCommand): readonly string[] {
  const { acceleration, tscKhz, kernel, guest, wire = 'port' } = command
  return [
    ...['quiet', 'panic=-1', 'reboot=t', 'console=hvc0'],
    // Without a PIT and ACPI there is nothing to compare the time stamp counter with.
    ...['no_timer_check', ...(tscKhz === undefined ? [] : [`tsc_early_khz=${tscKhz}`])],
    'random.trust_cpu=on',
    // Nothing is speculated on a processor that is a program.
    ...(acceleration === 'tcg' ? ['mitigations=off'] : []),
    ...kernel.arguments,
    ...guestArguments({ ...guest, wire: guestWires[wire] }),
  ]
}

const wires: Readonly<Record<QemuWire, readonly string[]>> = {
  port: [
    // The launcher made the socket to the daemon our stdin. Only a device with an id is told of.
    ...['-chardev', 'socket,id=host,fd=0'],
    ...['-device', `virtserialport,id=wire,chardev=host,name=${wirePort}`],
  ],
  vsock: [
    ...['-chardev', `socket,id=host,path=${inBox.vsockDevice}`],
    // A fifth device would get the interrupt of the clock, without which kernels boot for seconds more.
    ...['-device', 'vhost-user-vsock-device,chardev=host,bus=virtio-mmio-bus.0'],
  ],
}

const guestWires = {
  port: { kind: 'port', name: wirePort },
  vsock: { kind: 'vsock', port: vsockPort },
} as const

/** Kernels that are told of their disks on the command line find none where there is ACPI. */
const machineType = (acpi: boolean, ownMemory: boolean): string =>
  `microvm,acpi=${acpi ? 'on' : 'off'},pit=on,pic=on,rtc=on${ownMemory ? ',memory-backend=memory' : ''}`

/** Of translated code. QEMU's own default is a gigabyte, which nobody pays for. */
export const codeCacheMiB = 64

const confinement = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'

/** The guest is told, as Firecracker tells it: QEMU's own default holds it still when the disk is full. */
const faults = 'rerror=report,werror=report'

const disk = (id: string, path: string, readOnly: boolean): readonly string[] => [
  '-drive',
  `id=${id},file=${path},format=raw,if=none,cache=unsafe,readonly=${readOnly ? 'on' : 'off'},${faults}`,
  '-device',
  `virtio-blk-device,drive=${id}`,
]

const memoryBackend = (kind: MemoryKind, mebibytes: number): string =>
  `${backends[kind]},id=memory,size=${mebibytes}M`

const file = `memory-backend-file,mem-path=${inBox.memory}`
const backends: Readonly<Record<MemoryKind, string>> = {
  file: `${file},share=on`,
  image: `${file},share=off,readonly=on,rom=off`,
  copy: `${file},share=off`,
  shared: 'memory-backend-memfd,share=on',
}
