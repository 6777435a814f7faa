import { describe, expect, it } from 'vitest'
import { whyNoEngine, whyNoRegistry } from './requirements.ts'
import { runContainer } from './run-container.ts'
import { sharedTestEngine } from './shared-engine.ts'
import type { Engine } from './test-engine.ts'
import { openTestRegistry, registryAuthHeader, registryCredentials } from './test-registry.ts'

const why = whyNoEngine() ?? whyNoRegistry()

describe.skipIf(why)(`a test registry${why ? ` (${why})` : ''}`, () => {
  it('serves an image that was pushed to it', async () => {
    const engine = await sharedTestEngine()
    await using registry = await openTestRegistry()
    const { reference, digest } = await registry.push(engine, await engine.image('tiny'), 'a/b:1')
    expect(await pull(engine, reference)).toContain(digest)
    expect(await runContainer(engine, reference, ['tiny', 'echo', 'pulled'])).toBe('pulled\n')
    expect(await pull(engine, `${registry.address}/a/none:1`)).toContain('not found')
    await engine.call('DELETE', `/images/${reference}`)
  })

  it('asks for a password when it has one', async () => {
    const engine = await sharedTestEngine()
    await using registry = await openTestRegistry({ auth: true })
    const { reference } = await registry.push(engine, await engine.image('tiny'), 'secret:1')
    expect(await pull(engine, reference)).toContain('no basic auth credentials')
    const wrong = registryAuthHeader({ ...registryCredentials, password: 'wrong' })
    expect(await pull(engine, reference, wrong)).toContain('unauthorized')
    const right = registryAuthHeader(registryCredentials)
    expect(await pull(engine, reference, right)).toContain('Status: Downloaded')
    await engine.call('DELETE', `/images/${reference}`)
  })
})

/** What the engine says of it, success or not. */
async function pull(
  engine: Engine,
  fromImage: string,
  headers: Record<string, string> = {},
): Promise<string> {
  const call = { query: { fromImage }, headers }
  return engine.call('POST', '/images/create', call).catch((error) => `${error}`)
}
