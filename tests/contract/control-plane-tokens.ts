import { apiActions } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import type { ControlPlaneHost } from './control-plane-host.ts'

/** What every control plane promises of tokens. */
export function describeControlPlaneTokens(
  name: string,
  open: () => Promise<ControlPlaneHost>,
): void {
  describe(`tokens of the control plane: ${name}`, () => {
    it('are made, listed, and revoked by name or id', async () => {
      await using host = await open()
      const { tokens } = host.plane
      expect(await tokens.list()).toEqual([])
      const scope = { actions: ['api.task.*'], agents: ['echo'] }
      const made = await tokens.create({ name: 'ci', role: 'developer', scope })
      expect(made.token).toMatchObject({ name: 'ci', role: 'developer', scope, createdBy: 'local' })
      const { createdAt, expiresAt = '', id } = made.token
      expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(90 * 86_400_000)
      expect(made.text.reveal()).toMatch(new RegExp(`^aegis_${id}_`))
      const forever = await tokens.create({ name: 'eyes', role: 'viewer', lifetimeMs: null })
      expect(forever.token.expiresAt).toBeUndefined()
      expect(await tokens.list()).toEqual([made.token, forever.token])

      const revoked = await tokens.revoke('ci')
      expect(revoked).toEqual({ ...made.token, revokedAt: expect.stringMatching(/Z$/) })
      expect(await tokens.revoke(id)).toEqual(revoked)
      const again = await tokens.create({ name: 'ci', role: 'viewer' })
      expect((await tokens.revoke('ci')).id).toBe(again.token.id)
      expect((await tokens.list()).map((token) => token.id)).toEqual([
        id,
        forever.token.id,
        again.token.id,
      ])
    })

    it('have a name to themselves, and a scope that means something', async () => {
      await using host = await open()
      const { tokens } = host.plane
      await tokens.create({ name: 'ci', role: 'developer' })
      await expect(tokens.create({ name: 'ci', role: 'viewer' })).rejects.toMatchObject({
        kind: 'conflict',
        code: 'token.exists',
      })
      const scope = { actions: ['api.token.*'] }
      await expect(tokens.create({ name: 'x', role: 'viewer', scope })).rejects.toMatchObject({
        kind: 'invalid',
        code: 'token.scope',
      })
    })

    it.each(['nobody', '', '../agents', 'No Such Token'])('know none %j', async (ref) => {
      await using host = await open()
      await expect(host.plane.tokens.revoke(ref)).rejects.toMatchObject({
        kind: 'not-found',
        code: 'token.absent',
      })
    })

    it('tell the owner that he may do everything', async () => {
      await using host = await open()
      expect(await host.plane.tokens.whoami()).toEqual({
        name: 'local',
        role: 'admin',
        actions: [...apiActions],
      })
    })
  })
}
