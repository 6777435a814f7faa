import type { Sandbox } from '@aegis/core'
import { whyNoQemu } from '../../tests/engine/requirements.ts'
import { bootBareKernel } from '../bare-qemu.ts'
import {
  echoing,
  firstWord,
  guestBytes,
  machineSpec,
  openMachineRuntime,
  residentBytes,
} from '../machine-runtime.ts'
import { type Benchmark, inTurn, median, ms, timed } from '../measure.ts'

const never = new AbortController().signal
const rounds = 10
/** How many are weighed while all of them run. */
const together = 4

export const benchmark: Benchmark = {
  title: 'Boots of micro-VMs',
  about:
    'From the wish for a machine to the hello of its guest, phase by phase, over the same kernel in a bare QEMU up to where it would start a guest (QEMU, emulated processor). Resident memory of a machine, QEMU included, over what its agent may use.',
  async run() {
    const why = whyNoQemu()
    if (why !== undefined) return [{ name: 'boots', value: `not measured: ${why}` }]
    await using machines = await openMachineRuntime()
    const { runtime, kernel } = machines
    const phases = new Map<string, number[]>()
    const note = (name: string, value: number) =>
      void phases.set(name, [...(phases.get(name) ?? []), value])
    const spent = { subject: [] as number[], baseline: [] as number[] }
    let last: Sandbox | undefined
    /** Outside of what is timed. */
    const finish = async () => {
      if (last === undefined) return
      spent.subject.push((await last.stats(never)).cpuMs)
      for (const [name, value] of Object.entries(last.bootPhases)) note(name, value)
      const running = await last.exec(echoing.command, never)
      note('first output', await timed(() => firstWord(running)))
      const sandbox = last
      note('remove', await timed(async () => sandbox[Symbol.asyncDispose]()))
      last = undefined
    }
    const memoryBytes = guestBytes + (64 << 20)
    const { subjectMs, baselineMs, ratio } = await inTurn(
      rounds,
      async () => {
        last = await runtime.boot(machineSpec(), never)
      },
      async () => {
        spent.baseline.push(await bootBareKernel({ kernel, memoryBytes }))
      },
      finish,
    )
    await finish()
    const alone = await weigh(() => runtime.boot(machineSpec(), never), 1)
    const shared = await weigh(() => runtime.boot(machineSpec(), never), together)
    const memory = (name: string, bytes: number) => ({
      name,
      value: `${(bytes / (1 << 20)).toFixed(0)} MiB`,
      ratio: bytes / guestBytes,
    })
    const [subjectCpu, baselineCpu] = [median(spent.subject), median(spent.baseline)]
    const cpuRatio = subjectCpu / baselineCpu
    return [
      { name: 'a boot', value: ms(subjectMs), ratio },
      { name: 'the same kernel in a bare QEMU', value: ms(baselineMs) },
      {
        name: 'a boot: of the processors',
        value: ms(subjectCpu),
        ratio: cpuRatio,
        goal: '≤ 1.5',
        met: cpuRatio <= 1.5,
      },
      { name: 'the same kernel in a bare QEMU: of the processors', value: ms(baselineCpu) },
      ...[...phases].map(([name, times]) => ({
        name: `a boot: ${name}`,
        value: ms(median(times)),
      })),
      memory('resident, alone', alone),
      memory(`resident, each of ${together} at once`, shared),
    ]
  },
}

/** Resident bytes of each of so many that run at the same time. */
async function weigh(boot: () => Promise<Sandbox>, count: number): Promise<number> {
  await using all = new AsyncDisposableStack()
  const sandboxes: Sandbox[] = []
  // One after the other: how they are booted together is not the question.
  for (let number = 0; number < count; number++) sandboxes.push(all.use(await boot()))
  return median(await Promise.all(sandboxes.map(residentBytes)))
}
