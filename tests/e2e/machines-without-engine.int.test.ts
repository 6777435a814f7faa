import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PutImage, putImage } from '../../runtime-docker/src/registry/testing/put-image.ts'
import { testKernel } from '../engine/guest-kernel.ts'
import { imageTar } from '../engine/image-cache.ts'
import { whyNoQemu, whyNoRegistry } from '../engine/requirements.ts'
import {
  openTestRegistry,
  registryCredentials,
  type TestRegistry,
} from '../engine/test-registry.ts'
import { type AegisCommand, openNodeCommand } from './aegis-command.ts'
import { writeCommandAgent } from './docker-command.ts'
import { fails, ok } from './product-commands.ts'
import { followTask, printedTo } from './told-events.ts'

/** Elsewhere than the test engine's. */
const sockets = ['/var/run/docker.sock', '/run/podman/podman.sock']
const reason =
  whyNoQemu() ??
  whyNoRegistry() ??
  (sockets.some((path) => existsSync(path)) ? 'this host has an engine' : undefined)

describe.skipIf(reason)(
  `a micro-VM on a host without an engine${reason ? ` (${reason})` : ''}`,
  () => {
    let aegis: AegisCommand
    let registry: TestRegistry
    let image: PutImage
    beforeAll(async () => {
      registry = await openTestRegistry({ auth: true })
      const { username, password } = registryCredentials
      const auth = Buffer.from(`${username}:${password}`).toString('base64')
      const layers = [await readFile(await imageTar('tiny'))]
      const headers = { authorization: `Basic ${auth}` }
      image = await putImage(registry.address, 'team/tiny:1', {
        layers,
        headers,
        others: ['arm64'],
      })
      aegis = await openNodeCommand()
      await cp(await testKernel(), join(aegis.home, 'kernels'), { recursive: true })
      // What docker login leaves in the home of its user.
      const login = join(dirname(aegis.home), '.docker')
      await mkdir(login)
      const config = { auths: { [registry.address]: { auth } } }
      await writeFile(join(login, 'config.json'), JSON.stringify(config))
    }, 180_000)
    afterAll(async () => {
      await aegis?.[Symbol.asyncDispose]()
      await registry?.[Symbol.asyncDispose]()
    })

    const agent = (name: string, runtime: object) =>
      writeCommandAgent(aegis, {
        name,
        command: ['tiny', 'echo', 'from', 'a', 'registry'],
        runtime: { language: 'none', isolation: 'firecracker', ...runtime },
      })

    it('boots an image by its digest, fetched with the credentials of docker login', {
      timeout: 120_000,
    }, async () => {
      const byDigest = `${registry.address}/team/tiny@${image.digest}`
      const manifest = await agent('courier', { image: byDigest })
      const flags = ['--input', 'x', '--isolation', 'firecracker']
      const { code, events } = await followTask(aegis, manifest, ...flags)
      expect(code, JSON.stringify(events.at(-1))).toBe(0)
      expect(printedTo('stdout', events)).toBe('from a registry\n')
      const [listed] = JSON.parse(await ok(aegis, 'image', 'list', '--json'))
      expect(listed).toMatchObject({
        id: image.id,
        digests: [byDigest],
        pulled: true,
        agents: ['courier'],
        disk: { alone: true },
      })
    })

    it('finds by tag what is here, fetches nothing it may not, and says what to do', {
      timeout: 60_000,
    }, async () => {
      const reference = `${registry.address}/team/tiny:1`
      const never = await agent('hermit', { image: reference, image_pull_policy: 'Never' })
      await fails(aegis, 4, /aegis image pull/, 'agent', 'deploy', never)
      const lines = await ok(aegis, 'image', 'build', reference, '--json')
      expect(JSON.parse(lines.trim().split('\n').at(-1) ?? '')).toMatchObject({
        built: { id: image.id, references: [reference] },
      })
      await ok(aegis, 'agent', 'deploy', never)
      const absent = `${registry.address}/team/nothing:1`
      await fails(aegis, 4, /has no image/, 'image', 'pull', absent)
    })
  },
)
