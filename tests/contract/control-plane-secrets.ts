import { AegisError, Secret } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import type { ControlPlaneHost } from './control-plane-host.ts'

const scope = { agents: ['coder'], hosts: ['api.github.com'] }
const value = (text: string) => new Secret(text)

/** What every control plane promises about secrets. */
export function describeControlPlaneSecrets(
  name: string,
  open: () => Promise<ControlPlaneHost>,
): void {
  describe(`secrets of a control plane: ${name}`, () => {
    it('keeps them, lists what they are for in the order of names, and never a value', async () => {
      await using host = await open()
      const { secrets } = host.plane
      expect(await secrets.list()).toEqual([])
      await secrets.set('stripe', { ...scope, agents: ['*'], value: value('sk_live_123') })
      const { secret, created } = await secrets.set('github', {
        ...scope,
        places: ['bearer'],
        value: value('ghp_0123456789'),
      })
      expect(created).toBe(true)
      expect(secret).toMatchObject({
        name: 'github',
        ...scope,
        places: ['bearer'],
        state: 'intact',
      })
      expect(secret.createdAt).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/)
      const listed = await secrets.list()
      expect(listed.map((one) => one.name)).toEqual(['github', 'stripe'])
      expect(listed[0]).toEqual(secret)
      expect(JSON.stringify(listed)).not.toMatch(/ghp_|sk_live/)
    })

    it('changes a value and leaves the rest as it was, unless it is told', async () => {
      await using host = await open()
      const { secrets } = host.plane
      const first = await secrets.set('github', {
        ...scope,
        places: ['bearer'],
        value: value('ghp_0123456789'),
      })
      const second = await secrets.set('github', { value: value('ghp_9876543210') })
      expect(second.created).toBe(false)
      expect(second.secret).toMatchObject({ ...scope, places: ['bearer'] })
      expect(second.secret.createdAt).toBe(first.secret.createdAt)
      const third = await secrets.set('github', {
        hosts: ['*.github.com'],
        value: value('ghp_9876543210'),
      })
      expect(third.secret).toMatchObject({ agents: ['coder'], hosts: ['*.github.com'] })
    })

    it('refuses a secret without a scope, and a value that cannot stand there', async () => {
      await using host = await open()
      const { secrets } = host.plane
      const refused = { kind: 'invalid', code: 'secret.invalid' }
      const set = (secret: string, change: object) =>
        secrets.set(secret, { ...scope, value: value('ghp_0123456789'), ...change })
      await expect(set('github', { hosts: undefined })).rejects.toMatchObject(refused)
      await expect(set('github', { agents: undefined })).rejects.toMatchObject(refused)
      await expect(set('github', { hosts: ['*'] })).rejects.toMatchObject(refused)
      await expect(set('GitHub!', {})).rejects.toMatchObject(refused)
      await expect(set('github', { value: value('short') })).rejects.toMatchObject(refused)
      const broken = await set('github', { value: value('s3cr3t-with\nbreak') }).catch((e) => e)
      expect(broken).toBeInstanceOf(AegisError)
      expect(broken).toMatchObject(refused)
      expect(JSON.stringify({ ...broken, message: broken.message })).not.toContain('s3cr3t')
      expect(await secrets.list()).toEqual([])
    })

    it('removes one, and knows none that is not there', async () => {
      await using host = await open()
      const { secrets } = host.plane
      await secrets.set('github', { ...scope, value: value('ghp_0123456789') })
      await secrets.remove('github')
      const absent = { kind: 'not-found', code: 'secret.absent' }
      for (const name of ['github', 'No Name', '../agents', 'rotate']) {
        await expect(secrets.remove(name)).rejects.toMatchObject(absent)
      }
      expect(await secrets.list()).toEqual([])
    })

    it('takes a secret by the name of a route', async () => {
      await using host = await open()
      const { secrets } = host.plane
      await secrets.set('rotate', { ...scope, value: value('ghp_0123456789') })
      expect(await secrets.list()).toMatchObject([{ name: 'rotate' }])
      await secrets.remove('rotate')
    })

    it('changes the key, to one of another source where it is told', async () => {
      await using host = await open()
      const { secrets } = host.plane
      await secrets.set('github', { ...scope, value: value('ghp_0123456789') })
      expect(await secrets.rotate()).toMatchObject({ secrets: 1, key: 'file', isConfigured: true })
      expect(await secrets.rotate({ key: 'env:KEY' })).toMatchObject({
        key: 'env:KEY',
        isConfigured: false,
      })
      await expect(secrets.rotate({ key: 'vault:x' })).rejects.toMatchObject({
        code: 'secret.invalid',
      })
    })
  })
}
