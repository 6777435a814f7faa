import { setTimeout as delay } from 'node:timers/promises'
import type { AgentManifest, ControlPlane, ExecutionEvent } from '@aegis/core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Running } from '../e2e/aegis-command.ts'
import { testKernel } from '../engine/guest-kernel.ts'
import { whyNoEngine, whyNoQemu, whyNotNow } from '../engine/requirements.ts'
import { sharedTestEngine } from '../engine/shared-engine.ts'
import { type ChaosHome, openChaosHome } from './chaos-home.ts'
import { killQuietly } from './engine-sandboxes.ts'
import { eventually } from './eventually.ts'
import { firstEvent, historyOf } from './execution-history.ts'
import { type HostProcess, sandboxProcesses } from './host-processes.ts'
import { leftoversOf, soonNothingIsLeft } from './leftovers.ts'
import { makeSeededRandom } from './seeded-random.ts'
import { shellAgent } from './small-agents.ts'
import { mountSmallDisk, type SmallDisk, whyNoSmallDisk } from './small-disk.ts'

const reason = whyNoQemu() ?? whyNoEngine() ?? whyNoSmallDisk()
const rounds = 24

const machine = (name: string, script: string): AgentManifest =>
  shellAgent(name, script, {
    runtime: { isolation: 'firecracker' },
    resources: { cpu: 1000, memory: '64Mi', disk: '16Mi', timeout: '120s' },
  })

/** Writes files, each down to the disk, until one cannot be written. */
const writer = `
  echo up
  i=0
  while dd if=/dev/zero of=/workspace/$i bs=64k count=1 conv=fsync 2>/tmp/why; do i=$((i+1)); done
  cat /tmp/why`

describe.skipIf(reason !== undefined)(
  `a micro-VM${reason ? ` (${reason})` : ''}`,
  { timeout: 120_000 },
  () => {
    let home: ChaosHome
    let disk: SmallDisk
    let daemon: Running
    let plane: ControlPlane
    beforeAll(async () => {
      const engine = await sharedTestEngine()
      const [kernels] = await Promise.all([testKernel(), engine.image('node')])
      home = await openChaosHome({ engine, kernels })
      disk = await mountSmallDisk(home.machineMark.stateDirectory, 32 << 20)
      daemon = await home.start()
      plane = await home.connect()
      for (const manifest of [
        machine('waiting', 'echo up; exec sleep 1000'),
        machine('repeater', 'exec cat'),
        machine('writer', writer),
      ])
        await plane.agents.deploy(manifest)
    }, 180_000)
    afterAll(async () => {
      daemon?.child.kill('SIGKILL')
      await daemon?.ended
      await disk?.[Symbol.asyncDispose]()
      await home?.[Symbol.asyncDispose]()
    })
    afterEach(() => soonNothingIsLeft(home.machineMark))

    const lost = { cause: expect.stringMatching(/^(boot_failed|sandbox_lost)$/) }

    it.each([
      ['QEMU', isQemu],
      ['the box around QEMU', isBox],
    ])('that boots ends its execution when %s is killed, and leaves nothing', async (_, is) => {
      const id = await plane.executions.execute('waiting', '')
      await kill(is)
      expect((await historyOf(plane, id)).at(-1)).toMatchObject({
        type: 'execution.failed',
        failure: lost,
      })
    })

    it.each([
      ['QEMU', isQemu],
      ['the box around QEMU', isBox],
    ])('that works ends its execution when %s is killed, and leaves nothing', async (_, is) => {
      const id = await plane.executions.execute('waiting', '')
      await firstEvent(plane, id, 'execution.console')
      await kill(is)
      expect((await historyOf(plane, id)).at(-1)).toMatchObject({
        type: 'execution.failed',
        failure: { cause: 'sandbox_lost' },
      })
    })

    it('goes with its daemon, whether it boots or works, and the next daemon removes the rest', async () => {
      const working = await plane.executions.execute('waiting', '')
      await firstEvent(plane, working, 'execution.console')
      const booting = await plane.executions.execute('waiting', '')
      await eventually(async () => ((await machines()).length > 1 ? true : undefined))
      daemon.child.kill('SIGKILL')
      await daemon.ended
      await eventually(async () => {
        const left = await sandboxProcesses(home.machineMark)
        return left.length === 0 ? true : undefined
      })
      // The disks at least are there.
      expect(await leftoversOf(home.machineMark)).not.toEqual([])

      // There are no more users than the dead one held.
      daemon = await home.start()
      await daemon.said(/swept what an earlier run left/)
      for (const id of [working, booting]) {
        await plane.executions.cancel(id)
        expect(await historyOf(plane, id)).toContainEqual(
          expect.objectContaining({ type: 'execution.interrupted' }),
        )
      }
    })

    it('is told by its disk when that of the host is full, and goes on', async () => {
      const id = await plane.executions.execute('writer', '')
      await firstEvent(plane, id, 'execution.console')
      await disk.fill()
      expect((await historyOf(plane, id)).at(-1)).toMatchObject(
        completed(expect.stringMatching(/^up\n.*Input\/output error/s)),
      )
      await disk.free()
    })

    it('does not boot on a full disk, says so, and boots when there is space', async () => {
      await disk.fill()
      const refused = await plane.executions.execute('repeater', 'hello')
      expect((await historyOf(plane, refused)).at(-1)).toMatchObject({
        type: 'execution.failed',
        failure: {
          cause: 'boot_failed',
          message: expect.stringContaining('The disk of the host is full'),
        },
      })
      expect(await machines()).toEqual([])
      await disk.free()
      const accepted = await plane.executions.execute('repeater', 'hello')
      expect((await historyOf(plane, accepted)).at(-1)).toMatchObject(completed('hello'))
    })

    const later = whyNotNow()
    it.skipIf(later)(
      `ends each execution once, through ${rounds} kills at any moment${later ? ` (${later})` : ''}`,
      {
        timeout: 900_000,
      },
      async () => {
        const random = makeSeededRandom()
        const ids: string[] = []
        for (let round = 0; round < rounds; round++) {
          for (const agent of ['repeater', 'writer'])
            ids.push(await plane.executions.execute(agent, `round ${round}`))
          await delay(random.below(4000))
          if (random.below(3) > 0) {
            for (const { pid } of await machines()) killQuietly(pid)
            continue
          }
          daemon.child.kill('SIGKILL')
          await daemon.ended
          daemon = await home.start()
        }
        const ends: string[] = []
        for (const id of ids) {
          const end = (await historyOf(plane, id)).at(-1)
          ends.push(end?.type ?? '')
          if (end?.type === 'execution.failed')
            expect(end.failure.cause).toMatch(/^(boot_failed|sandbox_lost)$/)
        }
        expect(new Set(ends)).toEqual(new Set(['execution.completed', 'execution.failed']))
      },
    )

    async function machines(): Promise<readonly HostProcess[]> {
      return (await sandboxProcesses(home.machineMark)).filter(isQemu)
    }

    /** Kills what there is of this kind, as soon as it is there. */
    async function kill(isVictim: (process: HostProcess) => boolean): Promise<void> {
      const victims = await eventually(async () => {
        const found = (await sandboxProcesses(home.machineMark)).filter(isVictim)
        return found.length > 0 ? found : undefined
      })
      for (const { pid } of victims) process.kill(pid, 'SIGKILL')
    }
  },
)

const isQemu = ({ name }: HostProcess): boolean => name.startsWith('qemu-system')

const isBox = ({ name }: HostProcess): boolean => name === 'bwrap' || name === 'launch'

const completed = (output: unknown): Partial<ExecutionEvent> & object =>
  ({ type: 'execution.completed', output }) as object
