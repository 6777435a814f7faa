import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type EgressScene, tryBefore } from './egress-scene.ts'

const value = 'the-real-token-of-web/+=42'

export function describeSecrets(scene: EgressScene): void {
  describe('an agent with secrets', () => {
    const tried = tryBefore(scene, async () => {
      const { node, world } = scene
      const scope = ['--agent', 'courier', '--to', 'web.aegis.test']
      await setSecret(['token', ...scope], value)
      await setSecret(['keys', ...scope, '--place', 'sigv4'], 'AKIAEXAMPLE:of-the-real-account')
      world.web.forget()
      return {
        name: 'courier',
        script: 'courier.mjs',
        secrets: { TOKEN: 'token', AWS_KEYS: 'keys' },
        network: {
          allowlist: ['web.aegis.test', 'read.aegis.test', `${world.address('web')}/32`],
        },
      }

      async function setSecret(args: readonly string[], stdin: string): Promise<void> {
        const { code, stderr } = await node.aegis.runWith({ stdin }, 'secret', 'set', ...args)
        expect(code, stderr).toBe(0)
      }
    })

    it('has a placeholder for each, and not the value', () => {
      expect(tried().probes.get('placeholder')?.code).toBe(0)
      expect(tried().probes.get('placeholder-keys')?.code).toBe(0)
    })

    it.each([
      'use-bearer',
      'use-header',
      'use-basic',
      'use-query',
    ])('uses one where it may, and does not see it in the answer: %s', (name) => {
      const probe = tried().probes.get(name)
      expect(probe).toMatchObject({ code: 0, said: expect.stringContaining('[secret]') })
      expect(probe?.said).not.toContain(value)
    })

    it('has the server see the value in each place', () => {
      const received = scene.world.web.received.map((head) => head.replaceAll('\n', ' '))
      const basic = Buffer.from(`me:${value}`).toString('base64')
      for (const sent of [`Bearer ${value}`, basic, `key=${encodeURIComponent(value)}`]) {
        expect(received.some((head) => head.includes(sent))).toBe(true)
      }
    })

    it('cannot use an account of somebody else where its secret belongs', () => {
      expect(scene.world.web.received.join()).not.toContain('of-somebody-else')
    })

    it.each([
      'leak-other-host',
      'leak-plain-http',
      'leak-path',
      'leak-body',
      'leak-body-base64',
      'leak-cookie',
      'leak-query-escaped',
      'leak-basic-elsewhere',
      'leak-header-name',
      'leak-name',
      'leak-model',
    ])('carries none elsewhere: %s', (name) => {
      expect(tried().probes.get(name)?.code).toBe(1)
    })

    it('has sent not even a placeholder to anybody', () => {
      expect(scene.world.web.received.join()).not.toContain('aegis-secret-')
      expect(scene.world.names.asked.join()).not.toContain('aegis-secret-')
    })

    it('leaves each use and each attempt in the audit', () => {
      const uses = tried().audit.filter(({ type }) => type === 'execution.secret-used')
      expect(uses.map(({ data }) => data.place).toSorted()).toEqual([
        ...['basic', 'bearer', 'header', 'query'],
      ])
      const leaks = tried().denied.filter(({ data }) => data.code === 'secret.leaked')
      expect(leaks.map(({ data }) => `${data.subject}`)).toEqual(
        expect.arrayContaining([expect.stringContaining('read.aegis.test:443')]),
      )
    })

    it('leaves the value in no log and no database', async () => {
      const { home } = scene.node.aegis
      const files = ['aegis.db', 'aegis.db-wal', 'logs/daemon.log', 'secrets.json']
      const texts = files.map((name) => readFile(join(home, name), 'latin1').catch(() => ''))
      expect((await Promise.all(texts)).join('')).not.toContain(value)
    })
  })
}
