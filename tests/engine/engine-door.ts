import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { TestProject } from 'vitest/node'
import { type ImageName, imageNames } from './image-recipes.ts'
import type {} from './shared-engine.ts'
import type { TestEngine } from './test-engine.ts'

/**
 * Vitest's global set-up: a socket at which the processes that run tests ask for one engine. Nothing
 * is started, nor even loaded, until the first does.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const shared = lazyEngine()
  const door = createServer(async (incoming, outgoing) => {
    try {
      outgoing.end(await shared.answer(incoming.url ?? ''))
    } catch (error) {
      outgoing.writeHead(500).end(`${error}`)
    }
  })
  // In Linux's abstract namespace: no file to leave behind. It leads to an engine for root only.
  const socketPath = `\0aegis-engine-door-${randomUUID()}`
  door.listen(socketPath)
  await once(door, 'listening')
  door.unref()
  project.provide('engineDoor', socketPath)
  return async () => {
    door.close()
    door.closeAllConnections()
    await shared.close()
  }
}

const isImageName = (name: string): name is ImageName => imageNames.some((known) => known === name)

function lazyEngine() {
  let opening: Promise<TestEngine> | undefined
  const images = new Map<string, Promise<string>>()
  const open = async () => (await import('./test-engine.ts')).openTestEngine()
  const image = async (name: string) => {
    opening ??= open()
    if (!isImageName(name)) throw new Error(`No image ${name}`)
    const importing = images.get(name) ?? opening.then((engine) => engine.image(name))
    images.set(name, importing)
    return importing
  }
  return {
    async answer(url: string): Promise<string> {
      opening ??= open()
      const [, name] = /^\/images\/(\w+)$/.exec(url) ?? []
      return name ? image(name) : (await opening).directory
    },
    async close(): Promise<void> {
      await (await opening?.catch(() => undefined))?.[Symbol.asyncDispose]()
    },
  }
}
