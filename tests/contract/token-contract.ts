import { type StoredToken, type TokenRepository, tokenId } from '@aegis/core'
import { describe, expect, it } from 'vitest'

export interface TokensUnderTest extends AsyncDisposable {
  readonly tokens: TokenRepository
}

const aToken = (changes: Partial<StoredToken> = {}): StoredToken => ({
  id: tokenId('00aa'),
  name: 'ci',
  role: 'developer',
  createdAt: '2026-11-22T15:00:00.000Z',
  createdBy: 'local',
  digest: 'd'.repeat(64),
  ...changes,
})

const later = '2026-11-23T00:00:00.000Z'

/** What every store of tokens promises. */
export function describeTokenContract(name: string, open: () => Promise<TokensUnderTest>): void {
  describe(`tokens ${name}`, () => {
    it('are given back as they were added, oldest first', async () => {
      await using under = await open()
      const { tokens } = under
      const full = aToken({
        id: tokenId('00ab'),
        name: 'full',
        role: 'admin',
        scope: { actions: ['api.task.*'], agents: ['echo'] },
        createdAt: later,
        expiresAt: later,
      })
      await tokens.add(full)
      await tokens.add(aToken())
      expect(await tokens.byId('00ab')).toEqual(full)
      expect(await tokens.byId('00aa')).toEqual(aToken())
      expect(
        (await tokens.list()).toSorted((a, b) => (a.createdAt < b.createdAt ? -1 : 1)),
      ).toEqual([aToken(), full])
    })

    it.each(['', '00AA', '%', "' or 1=1 --"])('know none by the id %j', async (id) => {
      await using under = await open()
      await under.tokens.add(aToken())
      expect(await under.tokens.byId(id)).toBeUndefined()
    })

    it('have a name to themselves until they are revoked', async () => {
      await using under = await open()
      const { tokens } = under
      await tokens.add(aToken())
      const second = aToken({ id: tokenId('00ab') })
      const taken = { kind: 'conflict', code: 'token.exists', details: { id: '00aa' } }
      await expect(tokens.add(second)).rejects.toMatchObject(taken)
      expect(await tokens.byId('00ab')).toBeUndefined()
      await tokens.revoke(tokenId('00aa'), later)
      await tokens.add(second)
      expect(await tokens.byId('00ab')).toEqual(second)
    })

    it('go to one of those who want the same name at once', async () => {
      await using under = await open()
      const adds = ['0', '1', '2', '3'].map((id) => under.tokens.add(aToken({ id: tokenId(id) })))
      const outcomes = await Promise.allSettled(adds)
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect(await under.tokens.list()).toHaveLength(1)
    })

    it('are revoked once, and stay known', async () => {
      await using under = await open()
      const { tokens } = under
      await tokens.add(aToken())
      await tokens.revoke(tokenId('00aa'), later)
      await tokens.revoke(tokenId('00aa'), '2027-01-01T00:00:00.000Z')
      await tokens.revoke(tokenId('none'), later)
      expect(await tokens.byId('00aa')).toEqual(aToken({ revokedAt: later }))
    })

    it('keep when they were last used, and are forgotten on demand', async () => {
      await using under = await open()
      const { tokens } = under
      await tokens.add(aToken())
      await tokens.touch(tokenId('00aa'), later)
      await tokens.touch(tokenId('none'), later)
      expect(await tokens.list()).toEqual([aToken({ lastUsedAt: later })])
      await tokens.remove(tokenId('00aa'))
      await tokens.remove(tokenId('00aa'))
      expect(await tokens.list()).toEqual([])
    })
  })
}
