import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { release } from 'node:os'
import { join } from 'node:path'
import { AegisError } from '@aegis/core'
import { claimUsers, defaultUidRange, openLimits, type UidRange } from '@aegis/sandbox'
import type { Monitor } from '../machine/monitor.ts'
import { readProcessorModel } from '../qemu/find-qemu.ts'
import { commonVersion } from './binary-versions.ts'
import { diagnoseHost } from './diagnose-firecracker.ts'
import { type FirecrackerHost, startMachine } from './firecracker-machine.ts'
import { readHostFacts } from './host-facts.ts'
import { openJails } from './jail.ts'
import { diagnoseJails, readJailPlace } from './jail-place.ts'
import { makeStartGate } from './start-gate.ts'

export interface FirecrackerMonitorOptions {
  /** Ours alone; made when missing. Its path names this monitor's cgroups, so it should be stable. */
  readonly stateDirectory: string
  /** The launcher, from `locateLauncher`. */
  readonly launcherPath: string
  /** Default `/usr/bin/firecracker`. */
  readonly firecrackerPath?: string
  /** Default `/usr/bin/jailer`. */
  readonly jailerPath?: string
  /** Where jails are made, on the file system of images and scratch disks. Default: in `stateDirectory`. */
  readonly chrootBase?: string
  /** Where disks of images lie, for `diagnose` to see whether jails can show them. */
  readonly imageDirectory?: string
  /** Host uids for machines. Default 65,536 from 1,900,000,000 on. */
  readonly uidRange?: UidRange
  /** Group below the cgroup mount points that we may write to. Default `aegis`. */
  readonly cgroupParent?: string
  /** Jails that are made at the same time. Default 8. */
  readonly startsAtOnce?: number
  /** How much slower than on real hardware everything is here. Default 1. */
  readonly patience?: number
  /** When a monitor that does not answer is killed. Default: after two misses, asked every 5,000 ms. */
  readonly overwatch?: FirecrackerHost['overwatch']
}

export const defaultFirecrackerPath = '/usr/bin/firecracker'
export const defaultJailerPath = '/usr/bin/jailer'

/** Making jails gets slower with ten at a time. */
export const defaultStartsAtOnce = 8

/**
 * Opens Firecracker, started by its jailer alone, as the monitor of this node.
 * @throws AegisError `unsupported` / `firecracker.absent`, `firecracker.version`, `firecracker.root`,
 * `firecracker.limits` · `invalid` / `jail.base` · `exhausted` / `users.exhausted`
 */
export async function openFirecrackerMonitor(
  options: FirecrackerMonitorOptions,
  signal: AbortSignal,
): Promise<Monitor> {
  await using opening = new AsyncDisposableStack()
  const { stateDirectory, launcherPath, cgroupParent, patience = 1 } = options
  const { uidRange = defaultUidRange } = options
  const { chrootBase = join(stateDirectory, 'jails') } = options
  if (process.getuid?.() !== 0) throw notRoot()
  const [firecrackerPath, jailerPath] = await Promise.all([
    resolved(options.firecrackerPath ?? defaultFirecrackerPath),
    resolved(options.jailerPath ?? defaultJailerPath),
  ])
  const version = await commonVersion(firecrackerPath, jailerPath, signal)
  const jails = await openJails(chrootBase, firecrackerPath)
  const users = opening.use(await claimUsers(uidRange))
  const homeTag = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 12)
  const limits = await openLimits({ homeTag, cgroupParent, launcherPath })
  opening.defer(() => limits.close())
  // Without its group, a machine could not even be killed for certain.
  if (limits.remedy !== undefined) throw noLimits(limits.description, limits.remedy)
  const host: FirecrackerHost = {
    ...{ launcherPath, firecrackerPath, jailerPath, version, chrootBase, jails, limits, users },
    gate: makeStartGate(options.startsAtOnce ?? defaultStartsAtOnce),
    patience,
    overwatch: options.overwatch ?? { everyMs: 5_000 * patience, misses: 2 },
  }
  const processor = await readProcessorModel()
  const description = `Firecracker ${version} with its jailer, KVM`
  const resources = opening.move()
  return {
    name: 'firecracker',
    description,
    snapshotClass: `firecracker ${version}, ${processor}, Linux ${release()}`,
    limits,
    patience,
    boot: (plan, signal) => startMachine(host, plan, undefined, signal),
    restore: (snapshot, plan, signal) => startMachine(host, plan, snapshot, signal),
    // The groups first: what still runs in a jail goes with them.
    async sweep(keep) {
      return [...(await limits.sweep(keep)), ...(await jails.sweep(keep))]
    },
    async diagnose() {
      const facts = await readHostFacts(uidRange)
      const others = options.imageDirectory === undefined ? [] : [options.imageDirectory]
      const place = await readJailPlace(chrootBase, [stateDirectory, ...others])
      return [
        { name: 'monitor', state: 'ok', detail: description },
        diagnoseJails(place, stateDirectory),
        ...diagnoseHost(facts),
      ]
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

const resolved = (path: string): Promise<string> => realpath(path).catch(() => path)

const notRoot = (): AegisError =>
  new AegisError(
    'unsupported',
    'firecracker.root',
    'Firecracker is started by its jailer, which must be root. Run the daemon as root, or set spec.runtime.firecracker.driver: qemu',
  )

const noLimits = (description: string, remedy: string): AegisError =>
  new AegisError(
    'unsupported',
    'firecracker.limits',
    `Firecracker is not run without limits around it: ${description}. ${remedy}`,
  )
