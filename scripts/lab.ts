// Boots a machine whose emulated processor runs machines itself, so that KVM works in it on a host
// that has none, and puts the monitors of micro-VMs through their contract there: QEMU with KVM, and
// the real Firecracker and its jailer where AEGIS_FIRECRACKER and AEGIS_JAILER name them.
import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LabLine } from '../lab/inside/report.ts'
import { type LabDiskParts, makeLabDisk, makeRoot } from '../lab/lab-disk.ts'
import { makeLabImage } from '../lab/lab-image.ts'
import { runLabMachine } from '../lab/lab-machine.ts'
import { makeGuestDisk } from '../runtime-firecracker/src/guest-disk.ts'
import { fetchKernel, openKernelStore } from '../runtime-firecracker/src/index.ts'
import { readTscKhz } from '../runtime-firecracker/src/qemu/find-qemu.ts'
import { locateGuest, locateLauncher } from '../sandbox/src/index.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
/** The longest that a run may take on a machine that is busy with other things. */
const deadlineMs = 15 * 60_000
const exit = { fine: 0, failed: 1, misused: 2, broken: 3 } as const

const say = (text: string) => void process.stdout.write(`${text}\n`)
const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => interrupted.abort(new Error(`It was ended by ${signal}`)))

process.exitCode = await run().catch((error: unknown) => {
  say(`\nThe lab broke: ${error instanceof Error ? error.message : String(error)}`)
  return exit.broken
})

async function run(): Promise<number> {
  const lacking = whatLacks()
  if (lacking !== undefined) {
    say(lacking)
    return exit.misused
  }
  const directory = await mkdtemp(join(tmpdir(), 'aegis-lab-'))
  try {
    return await runIn(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function runIn(directory: string): Promise<number> {
  const signal = AbortSignal.any([interrupted.signal, AbortSignal.timeout(deadlineMs)])
  const buildDirectory = join(root, 'build')
  const step = async <T>(name: string, act: () => Promise<T>): Promise<T> => {
    const started = performance.now()
    const value = await act()
    say(`  ${seconds(performance.now() - started)}  ${name}`)
    return value
  }
  const mirror = process.env.AEGIS_MIRROR ?? 'http://deb.debian.org/debian'
  say('Preparing the machine')
  const store = openKernelStore(join(root, 'build', 'lab-kernels'))
  await step('kernel', () =>
    fetchKernel({ store, latest: false, mirror, now: new Date(), onProgress: () => {}, signal }),
  )
  const kernel = await store.current()
  const [machineRoot, imageRoot] = [join(directory, 'root'), join(directory, 'image')]
  await step('programs of the machine', () => makeRoot(machineRoot, 'machine', mirror, signal))
  await step('packages of the image', () => makeRoot(imageRoot, 'image', mirror, signal))
  await mkdir(join(directory, 'made'))
  const image = await step('disk of the image', () =>
    makeLabImage(`${imageRoot}.tar`, join(directory, 'made'), signal),
  )
  const guest = await locateGuest({ buildDirectory })
  const files: LabDiskParts['files'] = {
    launch: await locateLauncher({ buildDirectory }),
    guest,
    'guest.erofs': await makeGuestDisk(join(directory, 'guest'), guest, signal),
    'image.disk': image,
    vmlinux: kernel.path,
    ...realFirecracker(),
  }
  const diskPath = join(directory, 'disk.ext4')
  await step('disk of the machine', () =>
    makeLabDisk(
      machineRoot,
      diskPath,
      { files, kernel: { ...kernel, path: '/lab/vmlinux' } },
      signal,
    ),
  )

  say('Booting it')
  const khz = await readTscKhz()
  const machine = {
    ...{ kernelPath: kernel.path, diskPath, memoryMiB: 2048 },
    kernelArguments: [...kernel.arguments, ...(khz === undefined ? [] : [`tsc_early_khz=${khz}`])],
  }
  const words: string[] = []
  for await (const line of runLabMachine(machine, (said) => keep(words, said), signal)) {
    show(line)
    if (line.kind === 'end') return line.failed === 0 ? exit.fine : exit.failed
  }
  signal.throwIfAborted()
  throw new Error(`The machine ended before its tests did. Its last words:\n${words.join('\n')}`)
}

function show(line: LabLine): void {
  say(wordsOf(line))
}

function wordsOf(line: LabLine): string {
  switch (line.kind) {
    case 'part':
      return `\n${line.name}`
    case 'skipped':
      return `  skipped: ${line.name}, since ${line.because}`
    case 'passed':
      return `  ${seconds(line.ms)}  ${line.name}${line.detail ? `  (${line.detail})` : ''}`
    case 'failed':
      return `  ${seconds(line.ms)}  FAILED: ${line.name}\n           ${line.because}`
    case 'end':
      return line.failed === 0 ? '\nAll of it held.' : `\n${line.failed} of it failed.`
  }
}

function whatLacks(): string | undefined {
  const { AEGIS_FIRECRACKER: firecracker, AEGIS_JAILER: jailer } = process.env
  if (process.getuid?.() !== 0)
    return 'The lab unpacks a root file system, which needs root: sudo npm run lab'
  for (const [program, packageName] of [
    ['/usr/bin/qemu-system-x86_64', 'qemu-system-x86'],
    ['/usr/bin/mmdebstrap', 'mmdebstrap'],
    ['/usr/sbin/mke2fs', 'e2fsprogs'],
  ] as const)
    if (!isProgram(program))
      return `${program} is missing: apt-get install --no-install-recommends ${packageName}`
  if ((firecracker === undefined) !== (jailer === undefined))
    return 'AEGIS_FIRECRACKER and AEGIS_JAILER go together: name both, of one release, or neither'
  for (const path of [firecracker, jailer])
    if (path !== undefined && !isProgram(path)) return `${path} is no program that can be run`
  return undefined
}

function realFirecracker(): Readonly<Record<string, string>> {
  const { AEGIS_FIRECRACKER: firecracker, AEGIS_JAILER: jailer } = process.env
  if (firecracker === undefined || jailer === undefined) return {}
  return { 'bin/firecracker': firecracker, 'bin/jailer': jailer }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function keep(words: string[], said: string): void {
  words.push(said.slice(0, 300))
  if (words.length > 40) words.shift()
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(6)} s`
}
