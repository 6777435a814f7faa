import { createCipheriv, createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { ControlPlane } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { whyNoEngine } from '../engine/requirements.ts'
import { openTestEngine, type TestEngine } from '../engine/test-engine.ts'
import { openChaosHome } from './chaos-home.ts'
import { expectNothingLeft } from './engine-leftovers.ts'
import { firstEvent, forever, historyOf } from './execution-history.ts'
import { makeGate } from './gate.ts'
import { makeSeededRandom } from './seeded-random.ts'
import { shellAgent } from './small-agents.ts'
import { untilTestEnds } from './until-test-ends.ts'

const reason = whyNoEngine()
const MiB = 1 << 20
const atOnce = 100
const printers = 10
const printedBytes = 64 * MiB
/** Of the daemon, whatever its sandboxes do. */
const daemonMaxBytes = 512 * MiB

describe.skipIf(reason !== undefined)(
  `many containers${reason ? ` (${reason})` : ''}`,
  { timeout: 180_000 },
  () => {
    it(`run at once: ${atOnce}, each to its own end`, async () => {
      const gate = untilTestEnds(await makeGate())
      const { engine, plane, pid } = await openScene({
        cpuMillicores: atOnce * 50,
        capacity: { memory: '4Gi' },
        readable: [gate.directory],
      })
      const script = `echo up; until [ -e ${gate.directory}/open ]; do sleep 1; done; exec cat`
      const small = { cpu: 50, memory: '32Mi', disk: '1Mi', timeout: '170s' } as const
      await plane.agents.deploy(
        shellAgent('waiter', script, { resources: small, filesystem: { read: [gate.directory] } }),
      )
      const inputs = Array.from({ length: atOnce }, (_, index) => `input ${index}`)
      const ids = await Promise.all(
        inputs.map((input) => plane.executions.execute('waiter', input)),
      )
      // What ended before is shown by its history.
      await Promise.allSettled(ids.map((id) => firstEvent(plane, id, 'execution.console')))
      const { sandboxes } = await plane.node.status()
      await gate.open()
      for (const [index, id] of ids.entries()) {
        expect((await historyOf(plane, id)).at(-1)).toMatchObject({
          type: 'execution.completed',
          output: `up\n${inputs[index]}`,
        })
      }
      expect(sandboxes).toMatchObject({ hot: atOnce, failed: 0 })
      await expectSmall(pid, `${atOnce} containers at once`)
      await expectNothingLeft(engine, { serving: true })
    })

    it(`lose nothing of what they print: ${printers} times ${printedBytes / MiB} MiB`, async () => {
      const random = makeSeededRandom()
      const { engine, plane, pid } = await openScene({ cpuMillicores: 20_000 })
      const resources = { cpu: 1000, memory: '128Mi', disk: '16Mi', timeout: '170s' } as const
      await plane.agents.deploy(
        aManifest('printer', { task: { command: ['node', '-e', printing] }, resources }),
      )
      const keys = Array.from({ length: printers }, () => `key ${random.below(2 ** 31)}`)
      const ids = await Promise.all(keys.map((key) => plane.executions.execute('printer', key)))
      const digests = await Promise.all(ids.map((id) => digestOfOutput(plane, id)))
      expect(digests).toEqual(keys.map(expectedDigest))
      await expectSmall(pid, `${printers} times ${printedBytes / MiB} MiB`)
      await expectNothingLeft(engine, { serving: true })
    })
  },
)

interface Scene {
  readonly engine: TestEngine
  readonly plane: ControlPlane
  /** Of the daemon. */
  readonly pid: number
}

async function openScene(options: Parameters<typeof openChaosHome>[0]): Promise<Scene> {
  const engine = untilTestEnds(await openTestEngine())
  await engine.image('node')
  const home = untilTestEnds(await openChaosHome({ ...options, engine }))
  const { child } = await home.start()
  return { engine, plane: await home.connect(), pid: child.pid ?? 0 }
}

async function expectSmall(pid: number, what: string): Promise<void> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const peakBytes = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
  process.stderr.write(`${what}: the daemon used ${Math.round(peakBytes / MiB)} MiB at most\n`)
  expect(peakBytes).toBeLessThan(daemonMaxBytes)
}

/** Bytes that nobody can guess, and everybody who has the key can make, as text. */
const chunkBytes = 48 * 1024
const chunks = Math.ceil(printedBytes / (chunkBytes / 3) / 4)

const printing = `
const { createCipheriv, createHash } = require('node:crypto')
const key = createHash('sha256').update(require('node:fs').readFileSync(0)).digest()
const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
const zeros = Buffer.alloc(${chunkBytes})
let left = ${chunks}
const print = () => {
  while (left-- > 0)
    if (!process.stdout.write(cipher.update(zeros).toString('base64'))) return process.stdout.once('drain', print)
}
print()
`

function expectedDigest(text: string): string {
  const key = createHash('sha256').update(text).digest()
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  const zeros = Buffer.alloc(chunkBytes)
  const digest = createHash('sha256')
  for (let left = chunks; left > 0; left--) digest.update(cipher.update(zeros).toString('base64'))
  return digest.digest('hex')
}

/** As a client puts it together from the events that it is sent. */
async function digestOfOutput(plane: ControlPlane, id: string): Promise<string> {
  const digest = createHash('sha256')
  for await (const { event } of plane.executions.events(id, { follow: true }, forever)) {
    if (event.type === 'execution.console' && event.stream === 'stdout') digest.update(event.text)
    if (event.type === 'execution.failed') return JSON.stringify(event.failure)
  }
  return digest.digest('hex')
}
