import { mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { arch, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sandboxId } from '@aegis/core'
import {
  openEngineClient,
  openImageStore,
  openRegistryCredentials,
  parseEngineEndpoint,
  saveImage,
} from '@aegis/runtime-docker'
import {
  type MachinePlan,
  type Monitor,
  openFirecrackerMonitor,
  openFirecrackerRuntime,
  openKernelStore,
  openMachineImages,
  openQemuMonitor,
} from '@aegis/runtime-firecracker'
import { locateGuest, locateLauncher } from '@aegis/sandbox'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  kernelArguments as firecrackerArguments,
  machineRequests,
} from '../../runtime-firecracker/src/firecracker/configure-machine.ts'
import { kernelArguments as qemuKernelArguments } from '../../runtime-firecracker/src/qemu/qemu-command.ts'
import { makeFakeVmm } from '../../runtime-firecracker/src/testing/make-fake-vmm.ts'
import { run, specWith } from '../contract/sandbox-driver.ts'
import { testKernel } from '../engine/guest-kernel.ts'
import { whyNoEngine, whyNoQemu } from '../engine/requirements.ts'
import { sharedTestEngine } from '../engine/shared-engine.ts'

const why = whyNoEngine() ?? whyNoQemu()
const never = new AbortController().signal
const buildDirectory = fileURLToPath(new URL('../../node_modules/.cache/aegis', import.meta.url))

/** A monitor that notes what it boots. */
const noting = (monitor: Monitor, plans: MachinePlan[]): Monitor => ({
  ...monitor,
  boot(plan, signal) {
    plans.push(plan)
    return monitor.boot(plan, signal)
  },
})

/** Has Firecracker, played by the double, boot the machine that QEMU boots. */
async function expectSameDisk(plan: MachinePlan, directory: string, launcherPath: string) {
  const stateDirectory = join(directory, 'firecracker')
  const scratch = { path: join(directory, 'scratch'), readOnly: false }
  const vmm = await makeFakeVmm(join(directory, 'bin'))
  await writeFile(scratch.path, '', { mode: 0o600 })
  const uidRange = { first: 1_951_000_000, count: 4096 }
  const options = { ...vmm, stateDirectory, launcherPath, uidRange }
  await using monitor = await openFirecrackerMonitor(options, never)
  const twin = { ...plan, id: sandboxId(`${plan.id}-twin`), disks: { ...plan.disks, scratch } }
  await using _ = await monitor.boot(twin, never)
  const root = join(stateDirectory, 'jails', 'firecracker', twin.id, 'root')
  const drives = machineRequests(twin).flatMap(([name, body]) =>
    name === 'PUT /drives/{}' ? [body] : [],
  )
  expect(drives.map(({ is_read_only: readOnly }) => readOnly)).toEqual([true, true, false])
  for (const [index, name] of (['guest', 'image'] as const).entries()) {
    const shown = await stat(join(root, drives[index]?.path_on_host ?? ''))
    const { dev, ino } = await stat(plan.disks[name].path)
    expect({ dev: shown.dev, ino: shown.ino }).toEqual({ dev, ino })
  }
  const command = { ...twin, acceleration: 'tcg', tscKhz: undefined } as const
  const rootWords = (words: readonly string[]) => words.filter((word) => /^root|^init=/.test(word))
  expect(rootWords(firecrackerArguments(plan.kernel, plan.guest))).toEqual(
    rootWords(qemuKernelArguments(command)),
  )
}

describe.skipIf(why)(`images in micro-VMs${why ? ` (${why})` : ''}`, () => {
  let home = ''
  beforeAll(async () => {
    home = await realpath(await mkdtemp(join(tmpdir(), 'aegis-machine-images-')))
  })
  afterAll(() => rm(home, { recursive: true, force: true }))

  const cases = [
    {
      name: 'python',
      language: 'python',
      version: '3.11',
      argv: [
        'python3',
        '-c',
        'import ssl, json, os; print(json.dumps(os.stat("/etc/passwd").st_uid + 2))',
      ],
      prints: '2\n',
    },
    {
      name: 'node',
      language: 'javascript',
      version: '18',
      argv: ['node', '-p', 'process.version.split(".")[0] + process.env.PATH'],
      prints: 'v18/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n',
    },
  ] as const

  it.each(
    cases,
  )('boot the $name image that Debian packages make, from one disk whatever the driver', async (one) => {
    const engine = await sharedTestEngine()
    const reference = await engine.image(one.name)
    const client = openEngineClient(parseEngineEndpoint(engine.host))
    const logger = pino({ level: 'silent' })
    await using store = openImageStore({
      engine: client,
      stateDirectory: join(home, 'runtime-docker'),
      credentials: openRegistryCredentials({ directory: home, environment: {} }),
      logger,
    })
    await using images = openMachineImages({
      directory: join(home, 'machine-images'),
      source: { store, archive: (id, signal) => saveImage(client, id, signal) },
      architecture: arch() === 'x64' ? 'amd64' : arch(),
      now: () => new Date().toISOString(),
    })
    const kernels = openKernelStore(await testKernel())
    const stateDirectory = join(home, 'runtime-firecracker')
    const launcherPath = await locateLauncher({ buildDirectory })
    const plans: MachinePlan[] = []
    await using runtime = openFirecrackerRuntime({
      stateDirectory,
      guestPath: await locateGuest({ buildDirectory }),
      monitor: noting(
        await openQemuMonitor({ stateDirectory, launcherPath, kvm: false }, never),
        plans,
      ),
      kernel: () => kernels.current(),
      machineImages: images.machines,
      images: images.store,
    })
    const found = await images.store.find(reference, never)
    const image = found?.id ?? ''
    const { language, version } = one
    await using sandbox = await runtime.boot(
      specWith({ interpreter: { language, version, image } }),
      never,
    )
    expect(await images.store.find(reference, never)).toMatchObject({
      id: image,
      disk: { machines: 1 },
    })
    expect((await run(sandbox, one.argv, {})).stdout.toString()).toBe(one.prints)
    const [plan] = plans
    if (plan === undefined) throw new Error('The monitor heard of no machine')
    await expectSameDisk(plan, join(home, one.name), launcherPath)
    client[Symbol.dispose]()
  }, 120_000)
})
