import { Duplex, PassThrough } from 'node:stream'
import {
  AegisError,
  type ConnectTarget,
  type ExecCommand,
  type Exit,
  type LimitCause,
  type Sandbox,
  type SandboxProcess,
  type SandboxRuntime,
  type SandboxSpec,
  type SignalName,
} from '@aegis/core'

/** What a scripted command sees of its sandbox. */
export interface FakeIo {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly stdin: AsyncIterable<Uint8Array>
  /** Resolves when the reader has room, as a blocking write would. */
  print(chunk: Uint8Array | string): Promise<void>
  complain(chunk: Uint8Array | string): Promise<void>
  /** Files of the sandbox by absolute path; writing here is writing to its disk. */
  readonly files: Map<string, Uint8Array>
  connect(target: ConnectTarget): Duplex
  /** Aborted when the command is killed or its sandbox ends. */
  readonly killed: AbortSignal
  /** Called with each signal but KILL; without it, a signal kills. */
  onSignal: ((name: SignalName) => void) | undefined
}

/** Runs to an exit code. Rejecting is a bug of the test, and shown as exit code 70. */
export type FakeCommand = (io: FakeIo) => Promise<number>

export interface FakeRuntimeOptions {
  /** By `argv[0]`. */
  readonly commands: Readonly<Record<string, FakeCommand>>
  /** Makes a boot fail or wait: runs before each. */
  readonly beforeBoot?: (spec: SandboxSpec, signal: AbortSignal) => Promise<void>
}

export interface FakeRuntime extends SandboxRuntime {
  /** Specs of all boots so far. */
  readonly booted: readonly SandboxSpec[]
  /** Ids of the sandboxes that are up. */
  live(): readonly string[]
  /** Ends one as if its guest had vanished or a limit had struck. */
  lose(id: string, cause: LimitCause): void
}

/** A sandbox runtime in this process: its commands are functions, its disk is a map. */
export function openFakeRuntime(options: FakeRuntimeOptions): FakeRuntime {
  const live = new Map<string, FakeSandbox>()
  const booted: SandboxSpec[] = []
  let over = false
  return {
    isolation: 'process',
    capabilities: async () => ({
      limits: { cpu: true, memory: true, pids: true, disk: true },
      terminal: false,
      languages: ['python', 'javascript', 'none'],
      images: false,
      applicationKernels: [],
      gpus: false,
      lendsByName: false,
      capturesAddresses: false,
    }),
    booted,
    live: () => [...live.keys()],
    lose: (id, cause) => live.get(id)?.end(cause),
    async boot(spec, signal) {
      signal.throwIfAborted()
      if (over) throw new AegisError('unavailable', 'runtime.closed', 'The runtime is closed')
      checkSpec(spec)
      if (live.has(spec.id))
        throw new AegisError('conflict', 'sandbox.exists', `Sandbox ${spec.id} is already running`)
      const sandbox = makeFakeSandbox(spec, options.commands, () => live.delete(spec.id))
      live.set(spec.id, sandbox)
      try {
        await options.beforeBoot?.(spec, signal)
        await Promise.resolve()
        signal.throwIfAborted()
        if (over) throw new AegisError('unavailable', 'runtime.closed', 'The runtime is closed')
      } catch (error) {
        live.delete(spec.id)
        throw error
      }
      booted.push(spec)
      return sandbox
    },
    async sweep(signal) {
      signal.throwIfAborted()
      return { removed: [] }
    },
    async diagnose(signal) {
      signal.throwIfAborted()
      return []
    },
    async [Symbol.asyncDispose]() {
      over = true
      for (const sandbox of live.values()) sandbox.end(undefined)
    },
  }
}

function checkSpec({ id, limits, applicationKernel }: SandboxSpec): void {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(id))
    throw new AegisError('invalid', 'sandbox.id', `'${id}' cannot name a sandbox`)
  for (const [name, value] of Object.entries(limits))
    if (!Number.isSafeInteger(value) || value <= 0)
      throw new AegisError('invalid', 'sandbox.limits', `${name} is ${value}`)
  if (applicationKernel !== undefined || limits.gpus !== undefined)
    throw new AegisError('unsupported', 'sandbox.host', 'It has neither kernels nor cards')
}

interface FakeSandbox extends Sandbox {
  end(cause: LimitCause | undefined): void
}

function makeFakeSandbox(
  spec: SandboxSpec,
  commands: FakeRuntimeOptions['commands'],
  onEnd: () => void,
): FakeSandbox {
  const files = new Map<string, Uint8Array>()
  const ending = Promise.withResolvers<LimitCause | undefined>()
  const running = new Set<(cause: LimitCause | undefined) => void>()
  let over = false
  const enter = (signal: AbortSignal) => {
    signal.throwIfAborted()
    if (over) throw new AegisError('unavailable', 'sandbox.ended', 'The sandbox has ended')
  }
  const end = (cause: LimitCause | undefined) => {
    if (over) return
    over = true
    for (const stop of running) stop(cause ?? 'sandbox_lost')
    onEnd()
    ending.resolve(cause)
  }
  return {
    id: spec.id,
    isolation: 'process',
    bootPhases: { fake: 0 },
    ended: ending.promise,
    end,
    async exec(command, signal) {
      enter(signal)
      const run = commands[command.argv[0]]
      if (run === undefined)
        throw new AegisError('not-found', 'exec.not-found', `No command '${command.argv[0]}'`)
      return startFakeProcess({ spec, command, run, files, running, end })
    },
    async writeFiles(put, signal) {
      enter(signal)
      const size = (map: Iterable<Uint8Array>) => [...map].reduce((sum, f) => sum + f.length, 0)
      for (const file of put) {
        if (!/^\/(?!.*\/\.\.\/)[^\0]{0,4094}$/s.test(file.path))
          throw new AegisError('invalid', 'file.path', `'${file.path}' is no path`)
        if (size(files.values()) + file.content.length > spec.limits.diskBytes)
          throw new AegisError('exhausted', 'sandbox.disk-full', `No room for '${file.path}'`)
        files.set(file.path, Uint8Array.from(file.content))
      }
    },
    async readFile(path, limitBytes, signal) {
      enter(signal)
      const content = files.get(path)
      if (content === undefined)
        throw new AegisError('not-found', 'file.not-found', `No file '${path}'`)
      if (content.length > limitBytes)
        throw new AegisError(
          'exhausted',
          'file.too-large',
          `'${path}' is larger than ${limitBytes}`,
        )
      return content
    },
    async stats(signal) {
      enter(signal)
      const memory = { memoryBytes: 1 << 20, memoryPeakBytes: 1 << 20 }
      return { cpuMs: 1, ...memory, pids: 1 + running.size, ioReadBytes: 0, ioWriteBytes: 0 }
    },
    async [Symbol.asyncDispose]() {
      end(undefined)
    },
  }
}

interface FakeProcessParts {
  readonly spec: SandboxSpec
  readonly command: ExecCommand
  readonly run: FakeCommand
  readonly files: Map<string, Uint8Array>
  readonly running: Set<(cause: LimitCause | undefined) => void>
  readonly end: (cause: LimitCause | undefined) => void
}

function startFakeProcess(parts: FakeProcessParts): SandboxProcess {
  const { spec, command, running } = parts
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const killing = new AbortController()
  const exit = Promise.withResolvers<Exit>()
  const usage = { cpuUserMs: 0, cpuSystemMs: 0, maxRssBytes: 0 }
  let printed = 0
  const finish = (how: Omit<Exit, 'usage'>) => {
    running.delete(stop)
    killing.abort()
    for (const stream of [stdout, stderr]) stream.end()
    stdin.destroy()
    exit.resolve({ ...how, usage })
  }
  const stop = (cause: LimitCause | undefined) => finish({ code: undefined, signal: 'KILL', cause })
  running.add(stop)

  const print = async (stream: PassThrough, chunk: Uint8Array | string) => {
    printed += chunk.length
    if (printed > spec.limits.outputBytes) parts.end('output_limit')
    killing.signal.throwIfAborted()
    if (!stream.write(chunk)) await drained(stream, killing.signal)
  }
  const io: FakeIo = {
    argv: command.argv,
    env: command.env,
    cwd: command.cwd,
    stdin,
    print: (chunk) => print(stdout, chunk),
    complain: (chunk) => print(stderr, chunk),
    files: parts.files,
    connect(target) {
      const [inside, outside] = pipePair()
      spec.onConnect(target, outside)
      return inside
    },
    killed: killing.signal,
    onSignal: undefined,
  }
  // In a turn of its own, as a process would start.
  setImmediate(() => {
    parts.run(io).then(
      (code) => finish({ code, signal: undefined, cause: undefined }),
      () => finish({ code: 70, signal: undefined, cause: undefined }),
    )
  })

  return {
    stdout,
    stderr,
    async writeStdin(chunk) {
      if (stdin.destroyed || stdin.writableEnded) return
      if (!stdin.write(chunk)) await drained(stdin, killing.signal).catch(() => {})
    },
    closeStdin: () => void stdin.end(),
    kill(name) {
      if (name !== 'KILL' && io.onSignal !== undefined) io.onSignal(name)
      else finish({ code: undefined, signal: name, cause: undefined })
    },
    resize: () => {},
    exit: exit.promise,
  }
}

function drained(stream: PassThrough, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      stream.off('drain', settle)
      stream.off('close', settle)
      signal.removeEventListener('abort', settle)
      if (signal.aborted) reject(signal.reason)
      else resolve()
    }
    stream.on('drain', settle)
    stream.on('close', settle)
    signal.addEventListener('abort', settle)
  })
}

/** Two ends of one connection. */
function pipePair(): [Duplex, Duplex] {
  const [there, back] = [new PassThrough(), new PassThrough()]
  const inside = Duplex.from({ writable: there, readable: back })
  const outside = Duplex.from({ writable: back, readable: there })
  return [inside, outside]
}
