import { createHash } from 'node:crypto'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { locateGuest } from '@aegis/sandbox'
import { whyNoEngine, whyNoGvisor } from '../../engine/requirements.ts'
import { sharedTestEngine } from '../../engine/shared-engine.ts'
import { posixCommands } from '../contract-commands.ts'
import { type SpecOverrides, specWith } from '../sandbox-driver.ts'
import { containerTraces, orphanedProcesses } from './container-traces.ts'
import { openHostImages } from './host-images.ts'
import { makeHost } from './make-host.ts'
import { openRuntime, type RuntimeChoice } from './open-runtime.ts'
import type { GuestOptions, SandboxHost, SandboxHostKind } from './sandbox-host.ts'

const buildDirectory = fileURLToPath(new URL('../../../node_modules/.cache/aegis', import.meta.url))

const container = {
  commands: posixCommands,
  path: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  environment: {},
  nodePath: '/usr/bin/node',
  guestPlace: '/.aegis/guest',
  bootsImages: true,
  containers: true,
  lends: true,
  ownKernel: false,
  slowness: 1,
  hostCores: 1,
} as const

/** Containers of the engine that tests share, on the host's kernel. */
export const runcHostKind: SandboxHostKind = {
  ...container,
  name: 'docker/runc',
  whyNot: whyNoEngine,
  outlivesLimits: true,
  terminalsAct: true,
  open: (options) => openDockerHost(runcHostKind, {}, options),
}

/** The same on gVisor's. */
export const runscHostKind: SandboxHostKind = {
  ...container,
  name: 'docker/runsc',
  whyNot: whyNoGvisor,
  // To the host, all memory and threads of a sandbox are those of one process, gVisor's kernel, which
  // ends when it is refused any.
  outlivesLimits: false,
  // Debian's gVisor, of 2022, only passes the characters on.
  terminalsAct: false,
  open: (options) => openDockerHost(runscHostKind, { applicationKernel: 'gvisor' }, options),
}

async function openDockerHost(
  kind: SandboxHostKind,
  more: SpecOverrides,
  timing: GuestOptions = {},
): Promise<SandboxHost> {
  const engine = await sharedTestEngine()
  const images = openHostImages(engine)
  const [image, guestPath, home] = await Promise.all([
    images.get('node'),
    locateGuest({ buildDirectory }),
    mkdtemp(join(tmpdir(), 'aegis-home-')).then((path) => realpath(path)),
  ])
  const stateDirectory = join(home, 'runtime-docker')
  const tag = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 12)
  const choice: RuntimeChoice = {
    runtime: 'docker',
    engine: engine.host,
    options: {
      stateDirectory,
      guestPath,
      protectedPaths: [home],
      hostPathsAreLocal: true,
      ...timing,
    },
  }
  let open = true
  const host = makeHost({
    kind,
    runtime: await openRuntime(choice),
    home,
    choice,
    images,
    spec: (overrides) =>
      specWith({
        interpreter: { language: 'javascript', version: '18', image },
        ...more,
        ...overrides,
      }),
    async traces() {
      const traces = await containerTraces(engine, tag)
      // The guest's volume serves all sandboxes of a runtime.
      return [
        ...traces.filter((trace) => !(open && trace.endsWith(' guest'))),
        ...(await orphanedProcesses(engine)),
      ]
    },
    async close() {
      open = false
      await host.expectNothingLeft()
      await images[Symbol.asyncDispose]()
      await rm(home, { recursive: true, force: true })
    },
  })
  return host
}
