import { join } from 'node:path'
import {
  openEngineClient,
  openImageStore,
  openRegistryCredentials,
  parseEngineEndpoint,
  saveImage,
} from '@aegis/runtime-docker'
import { openMachineImages } from '@aegis/runtime-firecracker'
import { pino } from 'pino'
import { sharedTestEngine } from '../../engine/shared-engine.ts'
import { openHostImages } from './host-images.ts'
import type { MachineDisk } from './open-runtime.ts'
import type { HostImages } from './sandbox-host.ts'

/**
 * The images of the engine that tests share, each with a disk that the product made of it, noted under
 * its name in `disks`. The engine starts with the first that is asked for.
 */
export function openMachineDisks(
  directory: string,
  disks: Record<string, string | MachineDisk>,
): HostImages & AsyncDisposable {
  const stack = new AsyncDisposableStack()
  const never = new AbortController().signal
  const open = async () => {
    const engine = await sharedTestEngine()
    const client = stack.use(openEngineClient(parseEngineEndpoint(engine.host)))
    const store = stack.use(
      openImageStore({
        engine: client,
        stateDirectory: directory,
        credentials: openRegistryCredentials({ directory, environment: {} }),
        logger: pino({ level: 'silent' }),
      }),
    )
    const machines = stack.use(
      openMachineImages({
        directory: join(directory, 'machine-images'),
        source: { store, archive: (id, signal) => saveImage(client, id, signal) },
        architecture: 'amd64',
        now: () => new Date().toISOString(),
      }),
    )
    return { images: stack.use(openHostImages(engine)), machines }
  }
  let opened: ReturnType<typeof open> | undefined
  const parts = () => {
    opened ??= open()
    return opened
  }
  const withDisk = async (reference: string): Promise<string> => {
    const { machines } = await parts()
    const image = await machines.store.find(reference, never)
    const { path, fileSystem, env } = stack.use(
      await machines.machines.open(image?.id ?? '', never),
    )
    disks[reference] = { path, fileSystem, env }
    return reference
  }
  return {
    get: async (name) => withDisk(await (await parts()).images.get(name)),
    make: async (...image) => withDisk(await (await parts()).images.make(...image)),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
