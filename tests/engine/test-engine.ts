import { callEngine, type EngineCall } from './engine-api.ts'
import { makeEngineDirectory, reapEngines } from './engine-directory.ts'
import { keepEngine } from './engine-keeper.ts'
import { engineSocket, startEngine } from './engine-process.ts'
import { importImage } from './image-cache.ts'
import type { ImageName } from './image-recipes.ts'
import { removeEngine } from './remove-engine.ts'

/** A Docker engine that tests may use together. */
export interface Engine {
  readonly socketPath: string
  /** The same as clients want it: `unix:///…`. */
  readonly host: string
  /** Where its data, its log (`log`) and its socket lie. */
  readonly directory: string
  /** Makes an image available and gives its reference; the first time ever takes seconds. */
  image(name: ImageName): Promise<string>
  /** Asks its API, without a version: `call('GET', '/containers/json')`. Throws when it refuses. */
  call(method: string, path: string, call?: EngineCall): Promise<string>
}

/** An engine of one's own, to be ended at any time and started again on the same data. */
export interface TestEngine extends Engine, AsyncDisposable {
  /** Of dockerd. */
  readonly pid: number
  /** SIGKILL; containerd and the containers are left to their fate. */
  kill(): Promise<void>
  /** After `kill`. Resolves once it answers. */
  start(): Promise<void>
}

export interface TestEngineOptions {
  /** More flags for dockerd, such as `--live-restore`. */
  readonly flags?: readonly string[]
}

/**
 * Starts a Docker engine that shares nothing with one the machine has: socket, data, containerd and
 * cgroups are its own, it touches neither bridges nor firewall rules, and `DOCKER_HOST` is not
 * heeded. It is removed with all its containers when disposed, when this process ends without that,
 * and, should even that fail, when the next engine is opened. Needs root, see `whyNoEngine`.
 */
export async function openTestEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  await reapEngines()
  const directory = await makeEngineDirectory()
  const letGo = keepEngine(directory)
  const close = async () => {
    await removeEngine(directory)
    letGo()
  }
  const start = () => startEngine(directory, options.flags ?? [])
  let process = await start().catch(async (error) => {
    await close()
    throw error
  })
  return {
    ...engineAt(directory),
    get pid() {
      return process.pid
    },
    kill: () => process.kill(),
    async start() {
      process = await start()
    },
    async [Symbol.asyncDispose]() {
      await process.kill()
      await close()
    },
  }
}

/** The engine whose directory this is, started by whomever. */
export function engineAt(directory: string): Engine {
  const socketPath = engineSocket(directory)
  return {
    socketPath,
    host: `unix://${socketPath}`,
    directory,
    image: (name) => importImage(socketPath, name),
    call: (method, path, call) => callEngine(socketPath, method, path, call),
  }
}
