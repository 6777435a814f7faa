import { access } from 'node:fs/promises'
import {
  AegisError,
  type HostFinding,
  type ImageStore,
  type Isolation,
  type SandboxRuntime,
  type SandboxSnapshots,
} from '@aegis/core'

export interface LazyRuntimeOptions {
  readonly isolation: Isolation
  /** There before the runtime is. */
  readonly images?: ImageStore
  /** What is kept can be asked for and removed before the runtime is there. */
  readonly snapshots?: Pick<SandboxSnapshots, 'has' | 'retain'>
  /** What an earlier runtime left lies here; while it is not there, nothing was left. */
  readonly stateDirectory: string
  open(signal: AbortSignal): Promise<SandboxRuntime>
}

/**
 * Opens a runtime when it is needed for the first time: most commands run without it, and a host may
 * lack what it needs. A failure is told to whoever needs it, and tried again next time.
 */
export function lazyRuntime(options: LazyRuntimeOptions): SandboxRuntime {
  const { isolation, images, snapshots, stateDirectory } = options
  const closing = new AbortController()
  let opening: Promise<SandboxRuntime> | undefined
  const open = (): Promise<SandboxRuntime> => {
    closing.signal.throwIfAborted()
    // Not by the signal of whoever comes first: others wait for the same.
    opening ??= options.open(closing.signal).catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }
  return {
    isolation,
    ...(images && { images }),
    ...(snapshots && { snapshots: lazySnapshots(snapshots, open) }),
    capabilities: async (signal) => (await open()).capabilities(signal),
    boot: async (spec, signal) => (await open()).boot(spec, signal),
    async sweep(signal) {
      signal.throwIfAborted()
      const isThere = await access(stateDirectory).then(
        () => true,
        () => false,
      )
      if (!isThere) return { removed: [] }
      // Without its monitor nothing of it runs either; the next sweep removes the files.
      const runtime = await open().catch(undefinedIfRefused)
      return runtime === undefined ? { removed: [] } : runtime.sweep(signal)
    },
    async diagnose(signal) {
      signal.throwIfAborted()
      try {
        return await (await open()).diagnose(signal)
      } catch (error) {
        signal.throwIfAborted()
        return [absence(isolation, error)]
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new AegisError('unavailable', 'runtime.closed', 'This node is ending'))
      await (await opening?.catch(() => undefined))?.[Symbol.asyncDispose]()
    },
  }
}

function lazySnapshots(
  kept: Pick<SandboxSnapshots, 'has' | 'retain'>,
  open: () => Promise<SandboxRuntime>,
): SandboxSnapshots {
  return {
    has: (version) => kept.has(version),
    retain: (isWanted) => kept.retain(isWanted),
    async bootTemplate(spec, signal) {
      const { snapshots } = await open()
      if (snapshots === undefined) throw noSnapshots()
      return snapshots.bootTemplate(spec, signal)
    },
    async restore(subject, spec, signal) {
      if (!(await kept.has(subject))) return undefined
      return (await open()).snapshots?.restore(subject, spec, signal)
    },
  }
}

const noSnapshots = (): AegisError =>
  new AegisError('unsupported', 'snapshot.unsupported', 'This runtime makes no snapshots')

function absence(isolation: Isolation, error: unknown): HostFinding {
  if (!(error instanceof AegisError)) throw error
  const [detail = '', ...remedy] = error.message.split(/(?<=\.) /)
  return {
    name: isolation,
    state: 'missing',
    detail,
    ...(remedy.length > 0 && { remedy: remedy.join(' ') }),
  }
}

function undefinedIfRefused(error: unknown): undefined {
  if (error instanceof AegisError) return undefined
  throw error
}
