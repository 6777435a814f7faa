import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { eventually } from '../chaos/eventually.ts'
import { engineGroup, engineProcesses, mountsBelow } from './remove-engine.ts'
import { whyNoEngine, whyNoGvisor } from './requirements.ts'
import { runContainer } from './run-container.ts'
import { sharedTestEngine } from './shared-engine.ts'
import { type Engine, engineAt, openTestEngine } from './test-engine.ts'

const why = whyNoEngine()
const whyNot = whyNoGvisor()

describe.skipIf(why)(`a test engine${why ? ` (${why})` : ''}`, () => {
  it('runs the images that tests use', async () => {
    const engine = await sharedTestEngine()
    const [python, node, tiny] = await Promise.all([
      engine.image('python'),
      engine.image('node'),
      engine.image('tiny'),
    ])
    const script = 'import ssl, sqlite3, ctypes, pwd; print(pwd.getpwuid(65534).pw_name)'
    expect(await runContainer(engine, python, ['python', '-c', script])).toBe('nobody\n')
    expect(await runContainer(engine, node, ['node', '-e', 'console.log("2")'])).toBe('2\n')
    expect(await runContainer(engine, node, ['/bin/sh', '-c', 'echo shell'])).toBe('shell\n')
    expect(await runContainer(engine, tiny, ['tiny', 'echo', 'a', 'b'])).toBe('a b\n')
  }, 180_000)

  it.skipIf(whyNot)(
    `runs gVisor${whyNot ? ` (${whyNot})` : ''}`,
    async () => {
      const engine = await sharedTestEngine()
      const image = await engine.image('python')
      const host = { Runtime: 'runsc' }
      const release = await runContainer(engine, image, ['uname', '-r'], host)
      // The version that gVisor claims to be, on every host.
      expect(release).toBe('4.4.0\n')
    },
    180_000,
  )

  it('starts again on its data after it was killed, and ends what ran', async () => {
    await using engine = await openTestEngine()
    const image = await engine.image('tiny')
    await startPausing(engine, 'runc')
    await engine.kill()
    await expect(engine.call('GET', '/_ping')).rejects.toThrow()
    await engine.start()
    const containers = JSON.parse(
      await engine.call('GET', '/containers/json', { query: { all: '1' } }),
    )
    expect(containers).toEqual([expect.objectContaining({ Image: image, State: 'exited' })])
  })

  it('leaves nothing when it is disposed of', async () => {
    const engine = await openTestEngine()
    await startPausing(engine, ...(whyNot ? ['runc'] : ['runc', 'runsc']))
    expect((await engineProcesses(engine.directory)).length).toBeGreaterThan(4)
    await engine[Symbol.asyncDispose]()
    expect(await remainsOf(engine.directory)).toEqual([])
  })

  it('leaves nothing when its owner is killed', async () => {
    const program = fileURLToPath(new URL('./abandoned-engine.ts', import.meta.url))
    const owner = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [chunk] = await once(owner.stdout, 'data')
    const directory = `${chunk}`.trim()
    await startPausing(engineAt(directory), 'runc')
    owner.kill('SIGKILL')
    await eventually(async () => (await remainsOf(directory)).length === 0 || undefined)
  })
})

/** Starts a container that does not end, by each runtime. */
async function startPausing(engine: Engine, ...runtimes: readonly string[]): Promise<void> {
  const image = await engine.image('tiny')
  for (const runtime of runtimes) {
    const host = { NetworkMode: 'none', Runtime: runtime, Tmpfs: { '/tmp': '' } }
    const body = { Image: image, Cmd: ['tiny', 'pause'], StopSignal: 'SIGKILL', HostConfig: host }
    const { Id: id } = JSON.parse(await engine.call('POST', '/containers/create', { body }))
    await engine.call('POST', `/containers/${id}/start`)
  }
}

async function remainsOf(directory: string): Promise<readonly unknown[]> {
  const groups = await readdir('/sys/fs/cgroup', { recursive: false })
  const ofEngine = groups.map((name) => join('/sys/fs/cgroup', name, engineGroup(directory)))
  const there = [directory, ...ofEngine].filter((path) => existsSync(path))
  return [...(await engineProcesses(directory)), ...(await mountsBelow(directory)), ...there]
}
