import { createReadStream } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { putSignatures } from '../../runtime-docker/src/registry/testing/put-signatures.ts'
import { cosignSign, makeCosignKey } from '../../security/src/supply/testing/cosign.ts'
import { imageTar } from '../engine/image-cache.ts'
import { whyNoEngine, whyNoRegistry } from '../engine/requirements.ts'
import { openTestEngine, type TestEngine } from '../engine/test-engine.ts'
import { openTestRegistry, type PushedImage, type TestRegistry } from '../engine/test-registry.ts'
import { type AegisCommand, openNodeCommand } from './aegis-command.ts'
import { engineConfig, writeCommandAgent } from './docker-command.ts'
import { fails, ok } from './product-commands.ts'

const reason = whyNoEngine() ?? whyNoRegistry()
const [own, foreign] = [makeCosignKey(), makeCosignKey()]

let engine: TestEngine
let registry: TestRegistry
let aegis: AegisCommand
beforeAll(async () => {
  if (reason !== undefined) return
  engine = await openTestEngine()
  registry = await openTestRegistry()
  aegis = await openNodeCommand()
  await aegis.write('cosign.pub', own.pem)
  const config = {
    node: { id: 'signed-test', type: 'edge' },
    runtime: engineConfig(engine),
    security: { supply: { require_digest: true, image_keys: ['cosign.pub'] } },
  }
  await aegis.write('aegis-config.yaml', JSON.stringify(config))
}, 180_000)
afterAll(async () => {
  await aegis?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
})

async function publish(
  name: string,
  to = registry,
): Promise<PushedImage & { readonly byDigest: string }> {
  const body = createReadStream(await imageTar('tiny'))
  const query = { fromSrc: '-', repo: 'fresh', tag: '1', changes: `LABEL name=${name}` }
  await engine.call('POST', '/images/create', { query, body })
  const pushed = await to.push(engine, 'fresh:1', name)
  await engine.call('DELETE', '/images/fresh:1')
  return { ...pushed, byDigest: `${pushed.reference.replace(/:\d+$/, '')}@${pushed.digest}` }
}

const agent = (name: string, image: string) =>
  writeCommandAgent(aegis, {
    name,
    command: ['tiny', 'echo', 'hello'],
    runtime: { language: 'none', image },
  })

describe.skipIf(reason !== undefined)(
  `where images must be signed, aegis${reason ? ` (${reason})` : ''}`,
  { timeout: 60_000 },
  () => {
    it('runs one that cosign signed with a key of the operator, named by its digest', async () => {
      const { reference, digest, byDigest } = await publish('team/signed:1')
      await fails(
        aegis,
        1,
        /takes images by digest alone/,
        'agent',
        'deploy',
        await agent('a', reference),
      )
      const path = await agent('a', byDigest)
      await fails(aegis, 1, /there is no signature of it/, 'agent', 'deploy', path)
      const sign = (key: typeof own) =>
        putSignatures(registry.address, 'team/signed', digest, [cosignSign(key.privateKey, digest)])
      await sign(foreign)
      await fails(aegis, 1, /none of its 1 signatures is by such a key/, 'agent', 'deploy', path)
      await sign(own)
      expect(await ok(aegis, 'agent', 'deploy', path)).toContain(`\nImage: ${byDigest}`)
      expect(await ok(aegis, 'task', 'execute', 'a', '--wait')).toBe('hello\n')
    })

    it('does not take the signature of another image for its own', async () => {
      const [signed, other] = [await publish('team/one:1'), await publish('team/other:1')]
      const claims = [cosignSign(own.privateKey, signed.digest)]
      await putSignatures(registry.address, 'team/other', other.digest, claims)
      await fails(
        aegis,
        1,
        /must be signed by a key/,
        'agent',
        'deploy',
        await agent('b', other.byDigest),
      )
    })

    it('runs nothing while the registry is away that would tell', async () => {
      const away = await openTestRegistry()
      const { digest, byDigest } = await publish('team/later:1', away)
      await putSignatures(away.address, 'team/later', digest, [cosignSign(own.privateKey, digest)])
      const path = await agent('c', byDigest)
      await ok(aegis, 'agent', 'deploy', path)
      await away[Symbol.asyncDispose]()
      const ran = await aegis.run('task', 'execute', 'c', '--wait')
      expect(ran.code).toBe(5)
      expect(ran.stderr).toMatch(/cannot be found out whether .* is signed, so it does not run/)
      await fails(aegis, 1, /cannot be reached/, 'agent', 'deploy', path, '--replace')
    })
  },
)
