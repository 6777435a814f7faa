import { randomUUID } from 'node:crypto'
import {
  type Exit,
  type Sandbox,
  type SandboxFilesystem,
  type SandboxLimits,
  type SandboxProcess,
  type SandboxSpec,
  sandboxId,
} from '@aegis/core'

/** Parts of a spec that a test cares about. */
export interface SpecOverrides extends Partial<Omit<SandboxSpec, 'limits' | 'filesystem'>> {
  readonly limits?: Partial<SandboxLimits>
  readonly filesystem?: Partial<SandboxFilesystem>
}

const MiB = 1 << 20

/** A small, harmless sandbox with an id of its own. */
export function specWith(overrides: SpecOverrides = {}): SandboxSpec {
  const { limits, filesystem, ...rest } = overrides
  return {
    id: sandboxId(`test-${randomUUID()}`),
    interpreter: { language: 'javascript', version: '24' },
    onConnect: (_, stream) => stream.destroy(),
    ...rest,
    limits: {
      cpuMillicores: 2000,
      memoryBytes: 512 * MiB,
      diskBytes: 64 * MiB,
      pids: 128,
      outputBytes: 16 * MiB,
      ...limits,
    },
    filesystem: { read: [], write: [], readOnly: false, ...filesystem },
  }
}

export interface Collected {
  readonly stdout: Buffer
  readonly stderr: Buffer
  readonly exit: Exit
}

/** Feeds a command, closes its stdin, and reads it to its end. */
export async function collect(
  running: SandboxProcess,
  input: readonly Uint8Array[] = [],
): Promise<Collected> {
  const feed = async () => {
    for (const chunk of input) await running.writeStdin(chunk)
    running.closeStdin()
  }
  const [stdout, stderr, exit] = await Promise.all([
    readAll(running.stdout),
    readAll(running.stderr),
    running.exit,
    feed(),
  ])
  return { stdout, stderr, exit }
}

/** Runs a command in /workspace with exactly this environment. */
export async function run(
  sandbox: Sandbox,
  argv: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
): Promise<Collected> {
  const signal = new AbortController().signal
  return collect(await sandbox.exec({ argv, env, cwd: '/workspace' }, signal))
}

/** Reads one line after the other, as they come. */
export function openLines(stream: AsyncIterable<Uint8Array>): { next(): Promise<string> } {
  const chunks = stream[Symbol.asyncIterator]()
  let text = ''
  return {
    async next() {
      for (;;) {
        const end = text.indexOf('\n')
        if (end >= 0) {
          const line = text.slice(0, end)
          text = text.slice(end + 1)
          return line
        }
        const { value, done } = await chunks.next()
        if (done) throw new Error(`The stream ended in the midst of a line: ${text}`)
        text += Buffer.from(value).toString()
      }
    },
  }
}

/** Reads up to the first newline and leaves the stream to nobody. */
export async function firstLine(stream: AsyncIterable<Uint8Array>): Promise<string> {
  let text = ''
  for await (const chunk of stream) {
    text += Buffer.from(chunk).toString()
    const end = text.indexOf('\n')
    if (end >= 0) return text.slice(0, end)
  }
  return text
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}
