import { readFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { z } from 'zod'
import { engineProcesses } from '../engine/remove-engine.ts'
import type { TestEngine } from '../engine/test-engine.ts'
import { eventually } from './eventually.ts'

const containers = z.array(z.object({ Names: z.array(z.string()), State: z.string() }))
const volumes = z.object({ Volumes: z.array(z.object({ Name: z.string() })).nullable() })
const networks = z.array(z.object({ Name: z.string() }))

/** Those of every engine. */
const builtInNetworks = ['bridge', 'host', 'none']
const ownPrograms = ['dockerd', 'containerd']

export interface Expected {
  /** A daemon of AEGIS is there, and keeps its guest on the engine. */
  readonly serving?: boolean
  /** From `abandonedStarts`. */
  readonly abandoned?: ReadonlySet<number>
}

/** Whatever an engine of a test's own holds besides images, and what runs on its behalf, in words. */
export async function engineLeftovers(
  engine: TestEngine,
  { serving = false, abandoned = new Set() }: Expected = {},
): Promise<readonly string[]> {
  const ask = async (path: string, query = {}) =>
    JSON.parse(await engine.call('GET', path, { query }))
  const boxes = containers.parse(await ask('/containers/json', { all: 'true' }))
  const disks = volumes.parse(await ask('/volumes')).Volumes ?? []
  const nets = networks.parse(await ask('/networks'))
  return [
    ...boxes.map(({ Names, State }) => `container ${Names.join(' ')} ${State}`),
    ...disks
      .filter(({ Name }) => !(serving && /^aegis\.\w+\.guest\.\w+$/.test(Name)))
      .map(({ Name }) => `volume ${Name}`),
    ...nets
      .filter(({ Name }) => !builtInNetworks.includes(Name))
      .map(({ Name }) => `network ${Name}`),
    ...(await foreignProcesses(engine))
      .filter(({ pid, commandLine }) => !(abandoned.has(pid) && isOfStart(commandLine)))
      .map(({ pid, commandLine }) => `process ${pid} ${commandLine.slice(0, 200)}`),
  ]
}

/** Within the time that an engine takes for what it does behind: the removal of what has ended. */
export async function expectNothingLeft(
  engine: TestEngine,
  expected: Expected = {},
): Promise<void> {
  const settled = async () => {
    const left = await engineLeftovers(engine, expected)
    return left.length === 0 ? left : undefined
  }
  await eventually(settled, 20_000).catch(() => {})
  expect(await engineLeftovers(engine, expected)).toEqual([])
}

/**
 * To be asked when the engine has just been killed. An engine that dies while it starts a container
 * knows nothing of it later, though its shim and its init live on: so does Docker 20.10 with any
 * container, and its API shows nobody that they exist. No agent is in such a one.
 */
export async function abandonedStarts(engine: TestEngine): Promise<readonly number[]> {
  const processes = await foreignProcesses(engine)
  return processes.filter(({ commandLine }) => isOfStart(commandLine)).map(({ pid }) => pid)
}

/** An init that waited may have become the guest, which waits for its host. */
const isOfStart = (commandLine: string): boolean =>
  /^(\S*containerd-shim-runc-v2 |runc init|\/\.aegis\/guest )/.test(commandLine)

interface EngineProcess {
  readonly pid: number
  readonly commandLine: string
}

/** Shims, runtimes, and what is in containers. */
async function foreignProcesses({ directory }: TestEngine): Promise<readonly EngineProcess[]> {
  const seen = (await engineProcesses(directory)).map(async (pid) => {
    const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')
    const [name, commandLine] = await Promise.all([read('comm'), read('cmdline')])
    if (name === '' || ownPrograms.includes(name.trim())) return []
    return [{ pid, commandLine: commandLine.replaceAll('\0', ' ') }]
  })
  return (await Promise.all(seen)).flat()
}
