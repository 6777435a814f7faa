import type { Sandbox, SandboxSnapshots } from '@aegis/core'
import { whyNoQemu } from '../../tests/engine/requirements.ts'
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
const rounds = 8

export const benchmark: Benchmark = {
  title: 'Snapshots of micro-VMs',
  about:
    'From the wish for a sandbox to the first word of the Python in it: out of a snapshot in which it waits, over a cold boot (QEMU, emulated processor). Resident memory of a machine, QEMU included, over what its agent may use.',
  async run() {
    const why = whyNoQemu()
    if (why !== undefined) return [{ name: 'snapshots', value: `not measured: ${why}` }]
    await using machines = await openMachineRuntime()
    const { runtime, snapshots } = machines
    const makingMs = await timed(() => makeSnapshot(snapshots))
    const resident = { restored: [] as number[], booted: [] as number[] }
    let last: { readonly sandbox: Sandbox; readonly sizes: number[] } | undefined
    /** Outside of what is timed. */
    const weighAndDispose = async () => {
      if (last === undefined) return
      last.sizes.push(await residentBytes(last.sandbox))
      await last.sandbox[Symbol.asyncDispose]()
    }
    const { subjectMs, baselineMs, ratio } = await inTurn(
      rounds,
      async () => {
        const restored = await snapshots.restore(echoing, machineSpec(), never)
        if (restored === undefined) throw new Error('Nothing was kept')
        last = { sandbox: restored.sandbox, sizes: resident.restored }
        await firstWord(restored.standby)
      },
      async () => {
        const sandbox = await runtime.boot(machineSpec(), never)
        last = { sandbox, sizes: resident.booted }
        await firstWord(await sandbox.exec(echoing.command, never))
      },
      weighAndDispose,
    )
    await weighAndDispose()
    const memory = (name: string, bytes: readonly number[]) => ({
      name,
      value: `${(median(bytes) / (1 << 20)).toFixed(0)} MiB`,
      ratio: median(bytes) / guestBytes,
    })
    return [
      {
        name: 'out of a snapshot to the first word',
        value: ms(subjectMs),
        ratio,
        goal: '≤ 0.15',
        met: ratio <= 0.15,
      },
      { name: 'cold boot to the first word', value: ms(baselineMs) },
      { name: 'a boot for a snapshot, and the snapshot', value: ms(makingMs) },
      memory('resident, out of a snapshot', resident.restored),
      memory('resident, booted', resident.booted),
    ]
  },
}

async function makeSnapshot(snapshots: SandboxSnapshots): Promise<void> {
  await using template = await snapshots.bootTemplate(machineSpec(), never)
  await template.exec(echoing.command, never)
  await template.keep(echoing, never)
}
