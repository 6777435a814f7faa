import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { arch, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  openEngineClient,
  openImageStore,
  openRegistryCredentials,
  parseEngineEndpoint,
  saveImage,
} from '@aegis/runtime-docker'
import {
  openFirecrackerRuntime,
  openKernelStore,
  openMachineImages,
  openQemuMonitor,
} from '@aegis/runtime-firecracker'
import { locateGuest, locateLauncher } from '@aegis/sandbox'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run, specWith } from '../contract/sandbox-driver.ts'
import { testKernel } from '../engine/guest-kernel.ts'
import { whyNoEngine, whyNoQemu } from '../engine/requirements.ts'
import { sharedTestEngine } from '../engine/shared-engine.ts'

const why = whyNoEngine() ?? whyNoQemu()
const never = new AbortController().signal
const buildDirectory = fileURLToPath(new URL('../../node_modules/.cache/aegis', import.meta.url))

describe.skipIf(why)(`an engine's images in micro-VMs${why ? ` (${why})` : ''}`, () => {
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
  )('boots the $name image that Debian packages make, from a disk made of it', async (one) => {
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
    await using runtime = openFirecrackerRuntime({
      stateDirectory,
      guestPath: await locateGuest({ buildDirectory }),
      monitor: await openQemuMonitor({ stateDirectory, launcherPath, kvm: false }, never),
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
    client[Symbol.dispose]()
  }, 120_000)
})
