import { access } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AegisError } from '@aegis/core'
import { type Box, type LimitGroup, startBox } from '@aegis/sandbox'
import { disarm } from '../disarm.ts'
import { vsockPort } from '../guest/guest-arguments.ts'
import { openCallSocket } from './call-socket.ts'
import { planVsockBox, type QemuSystem } from './qemu-box.ts'

/** The program that is the vsock device of one machine. */
export interface VsockDevice extends AsyncDisposable {
  /** The call of the guest, which is the wire. */
  readonly called: Promise<Socket>
  readonly box: Box
}

export interface VsockDeviceOptions {
  readonly launcherPath: string
  readonly bwrapPath: string
  readonly system: QemuSystem
  readonly vsockPath: string
  /** A directory of the machine's own. */
  readonly ownDirectory: string
  readonly uid: number | undefined
  /** Of the machine: the device counts against its limits. */
  readonly group: LimitGroup
  /** Until it listens. */
  readonly timeoutMs: number
}

/**
 * Starts a `vhost-device-vsock` in a box of its own, and resolves when QEMU may call it. It speaks as
 * Firecracker's device does: the guest's call to a port of the host becomes one to a socket here.
 * @throws AegisError `unavailable` / `machine.boot`
 */
export async function startVsockDevice(
  options: VsockDeviceOptions,
  signal: AbortSignal,
): Promise<VsockDevice> {
  const { ownDirectory, uid, group, timeoutMs } = options
  await using steps = new AsyncDisposableStack()
  const calls = steps.use(await openCallSocket(ownDirectory, `v.sock_${vsockPort}`, uid))
  const box = startBox({
    ...options,
    ...group,
    launcherNetwork: false,
    ...planVsockBox({ ...options, staged: uid !== undefined }),
  })
  steps.defer(async () => {
    box.kill()
    box.wire.destroy()
    await box.exited
  })
  const gone = new AbortController()
  void box.exited.then((how) => gone.abort(new Error(`The vsock device ${how}`)))
  const cut = AbortSignal.any([signal, gone.signal, AbortSignal.timeout(timeoutMs)])
  await listens(join(ownDirectory, 'device'), cut).catch(async () => {
    signal.throwIfAborted()
    box.kill()
    throw notThere(options.vsockPath, await box.complaint, cut.reason)
  })
  const resources = steps.move()
  return {
    called: calls.called,
    box,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

const notThere = (path: string, complaint: string, cause: unknown): AegisError =>
  new AegisError(
    'unavailable',
    'machine.boot',
    `The vsock device of a machine did not come up: ${disarm(complaint) || (cause instanceof Error ? cause.message : String(cause))}. See that ${path} is a vhost-device-vsock that runs here`,
    { cause },
  )

/** Nobody is told when it begins to listen. */
async function listens(path: string, signal: AbortSignal): Promise<void> {
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 20)) {
    signal.throwIfAborted()
    const isThere = await access(path).then(
      () => true,
      () => false,
    )
    if (isThere) return
    await delay(waitMs, undefined, { signal })
  }
}
