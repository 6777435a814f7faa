import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { AegisError } from '@aegis/core'
import { claimUsers, defaultUidRange, openLimits, type UidRange } from '@aegis/sandbox'
import { diagnoseHost } from '../firecracker/diagnose-firecracker.ts'
import { readHostFacts } from '../firecracker/host-facts.ts'
import { machineDirectories } from '../machine/machine-directories.ts'
import type { Monitor } from '../machine/monitor.ts'
import { findQemu, readProcessorModel, readTscKhz } from './find-qemu.ts'
import { readQemuSystem } from './qemu-box.ts'
import { type QemuHost, startQemu } from './qemu-machine.ts'

export interface QemuMonitorOptions {
  /** Ours alone; made when missing. Its path names this monitor's cgroups, so it should be stable. */
  readonly stateDirectory: string
  /** The launcher, from `locateLauncher`. */
  readonly launcherPath: string
  /** Default `/usr/bin/bwrap`. */
  readonly bwrapPath?: string
  /** Default `/usr/bin/qemu-system-x86_64`. */
  readonly qemuPath?: string
  /**
   * A `vhost-device-vsock`: machines then call the host over vsock, as those of Firecracker do, and make
   * no snapshots. Default: none, their wire is a port of a virtio console.
   */
  readonly vsockPath?: string
  /** Whether code really runs on /dev/kvm here. */
  readonly kvm: boolean
  /** Host uids for machines when we are root. Default 65,536 from 1,900,000,000 on. */
  readonly uidRange?: UidRange
  /** Group below the cgroup mount points that we may write to. Default `aegis`. */
  readonly cgroupParent?: string
}

/** Emulated, a guest is about eight times as slow; so are those who share its processors. */
const emulationPatience = 12

/**
 * Opens QEMU as the monitor of this node.
 * @throws AegisError `unsupported` / `qemu.absent`, `qemu.old`, `qemu.vsock` … · `exhausted` / `users.exhausted`
 */
export async function openQemuMonitor(
  options: QemuMonitorOptions,
  signal: AbortSignal,
): Promise<Monitor> {
  await using opening = new AsyncDisposableStack()
  const { stateDirectory, launcherPath, bwrapPath = '/usr/bin/bwrap', cgroupParent } = options
  const qemu = await findQemu(options.qemuPath, signal)
  await access(bwrapPath).catch((cause: unknown) => {
    throw noBox(bwrapPath, cause)
  })
  const vsockPath = options.vsockPath === undefined ? undefined : await usable(options.vsockPath)
  const uidRange = options.uidRange ?? defaultUidRange
  const users = process.getuid?.() === 0 ? await claimUsers(uidRange) : undefined
  if (users) opening.use(users)
  const homeTag = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 12)
  const limits = await openLimits({ homeTag, cgroupParent, launcherPath })
  opening.defer(() => limits.close())
  const directories = machineDirectories(join(stateDirectory, 'machines'))
  const acceleration = options.kvm ? 'kvm' : 'tcg'
  const [system, tscKhz, processor] = await Promise.all([
    readQemuSystem(qemu.path),
    readTscKhz(),
    readProcessorModel(),
  ])
  const patience = options.kvm ? 1 : emulationPatience
  const host: QemuHost = {
    ...{ launcherPath, bwrapPath, qemuPath: qemu.path, system, acceleration },
    ...{ opensImages: qemu.opensImages, vsockPath, tscKhz, patience, limits, users, directories },
  }
  const description = `QEMU ${qemu.version}, ${options.kvm ? 'KVM' : 'software emulation'}${vsockPath === undefined ? '' : ', vsock'}`

  const resources = opening.move()
  return {
    name: 'qemu',
    description,
    // Emulated, the processor is QEMU's own; but it offers what the host's has.
    snapshotClass: `qemu ${qemu.version} microvm ${acceleration}, ${processor}`,
    limits,
    patience,
    boot: (plan, signal) => startQemu(host, plan, undefined, signal),
    restore: (snapshot, plan, signal) => startQemu(host, plan, snapshot, signal),
    async sweep(keep) {
      return [...(await limits.sweep(keep)), ...(await directories.sweep(keep))]
    },
    async diagnose() {
      const facts = await readHostFacts(uidRange)
      return [{ name: 'monitor', state: 'ok', detail: description }, ...diagnoseHost(facts)]
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

async function usable(path: string): Promise<string> {
  try {
    await access(path, constants.X_OK)
    return await realpath(path)
  } catch (cause) {
    throw new AegisError(
      'unsupported',
      'qemu.vsock',
      `No vhost-device-vsock can be run at ${path}. Install it (cargo install vhost-device-vsock), or leave out spec.runtime.firecracker.qemu_vsock_path`,
      { cause },
    )
  }
}

const noBox = (path: string, cause: unknown): AegisError =>
  new AegisError(
    'unsupported',
    'qemu.box',
    `bubblewrap is not at ${path}, and QEMU runs in a box that it makes. Install it: apt-get install bubblewrap`,
    { cause },
  )
