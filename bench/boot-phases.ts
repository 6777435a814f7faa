import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SandboxSpec, sandboxId } from '@aegis/core'
import { openDockerRuntime, openEngineClient, parseEngineEndpoint } from '@aegis/runtime-docker'
import { locateGuest } from '@aegis/sandbox'
import type { Engine } from '@aegis/tests/engine/test-engine.ts'
import { median, timed } from './measure.ts'

export interface Phase {
  readonly name: string
  readonly medianMs: number
}

const boots = 10
const never = new AbortController().signal

/** Where the time of a container goes, by the runtime's own clock: its boot, and its removal. */
export async function bootPhases(engine: Engine, image: string): Promise<readonly Phase[]> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'aegis-bench-')))
  try {
    await using runtime = openDockerRuntime({
      client: openEngineClient(parseEngineEndpoint(engine.host)),
      stateDirectory: join(home, 'docker'),
      guestPath: await locateGuest({ buildDirectory: join(home, 'build') }),
      protectedPaths: [home],
      hostPathsAreLocal: true,
    })
    const times = new Map<string, number[]>()
    const note = (name: string, value: number) =>
      void times.set(name, [...(times.get(name) ?? []), value])
    for (let boot = 0; boot <= boots; boot++) {
      const sandbox = await runtime.boot(specOf(`bench-${boot}`, image), never)
      const removed = await timed(async () => sandbox[Symbol.asyncDispose]())
      // The first one puts the guest into its volume.
      if (boot === 0) continue
      for (const [name, value] of Object.entries(sandbox.bootPhases)) note(name, value)
      note('remove', removed)
    }
    return [...times].map(([name, values]) => ({ name, medianMs: median(values) }))
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

const specOf = (id: string, image: string): SandboxSpec => ({
  id: sandboxId(id),
  interpreter: { language: 'python', version: '3.11', image },
  limits: {
    cpuMillicores: 1000,
    memoryBytes: 256 * 2 ** 20,
    diskBytes: 64 * 2 ** 20,
    pids: 64,
    outputBytes: 2 ** 20,
  },
  filesystem: { read: [], write: [], readOnly: false },
  onConnect: (_target, stream) => stream.destroy(),
})
