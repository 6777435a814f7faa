import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { locateProbe } from '@aegis/sandbox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testKernel } from '../testing/test-kernel.ts'
import { parseProbe, probeKvm } from './probe-kvm.ts'

const run = promisify(execFile)
const qemu = '/usr/bin/qemu-system-x86_64'

let directory: string
let probe: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-probe-'))
  const buildDirectory = fileURLToPath(new URL('../../../build', import.meta.url))
  probe = await locateProbe({ buildDirectory })
}, 60_000)
afterAll(() => rm(directory, { recursive: true }))

it('answers about the KVM of this host before anybody notices', async () => {
  const found = await probeKvm(probe, AbortSignal.timeout(5000))
  if (!existsSync('/dev/kvm')) expect(found.state).toBe('absent')
  else expect(['usable', 'slow', 'broken', 'denied']).toContain(found.state)
  expect(found.detail).not.toBe('')
})

it('takes a probe that cannot be run for a KVM that does not work', async () => {
  const signal = AbortSignal.timeout(5000)
  expect(await probeKvm(join(directory, 'absent'), signal)).toMatchObject({ state: 'broken' })
})

const canNest = existsSync(qemu) && existsSync('/sbin/debugfs')
describe.skipIf(!canNest)('with an emulated processor that has KVM (QEMU, e2fsprogs)', () => {
  it('says that KVM works where code runs on it', async () => {
    const disk = await diskWith(probe)
    const kernel = await testKernel()
    const { stdout } = await run(qemu, emulation(kernel.path, disk, 'max'), { timeout: 60_000 })
    expect(parseProbe(lineOf(stdout))).toMatchObject({ state: 'usable' })
  }, 90_000)

  it('says that there is none where the processor has none', async () => {
    const disk = await diskWith(probe)
    const kernel = await testKernel()
    const cpu = 'max,-svm'
    const { stdout } = await run(qemu, emulation(kernel.path, disk, cpu), { timeout: 60_000 })
    expect(parseProbe(lineOf(stdout))).toMatchObject({ state: 'absent' })
  }, 90_000)
})

/** The probe as the only program of a machine, with the devices that it needs. */
async function diskWith(program: string): Promise<string> {
  const root = await mkdtemp(join(directory, 'root-'))
  await mkdir(join(root, 'dev'))
  await copyFile(program, join(root, 'probe'))
  const disk = `${root}.ext4`
  await run('/sbin/mke2fs', ['-q', '-t', 'ext4', '-d', root, disk, '4M'])
  const commands = `${root}.debugfs`
  await writeFile(commands, 'cd dev\nmknod console c 5 1\nmknod kvm c 10 232\n')
  await run('/sbin/debugfs', ['-w', '-f', commands, disk])
  return disk
}

const emulation = (kernel: string, disk: string, cpu: string): readonly string[] => [
  ...['-M', 'microvm,pit=on,pic=on,rtc=on,acpi=off', '-accel', 'tcg', '-cpu', cpu],
  ...['-m', '256', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
  ...['-kernel', kernel, '-append', words],
  ...['-drive', `id=root,file=${disk},format=raw,if=none,readonly=on`],
  ...['-device', 'virtio-blk-device,drive=root', '-device', 'virtio-serial-device'],
  ...['-chardev', 'stdio,id=console', '-device', 'virtconsole,chardev=console'],
]

const words =
  'quiet panic=-1 reboot=t no_timer_check tsc_early_khz=2500000 mitigations=off root=/dev/vda ro init=/probe console=hvc0'

const lineOf = (text: string): string =>
  text.split(/\r?\n/).find((line) => line.startsWith('{')) ?? text
