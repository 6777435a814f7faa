import type { StoredToken, TokenRepository } from '../access/token.ts'
import { tokenExists } from '../access/token-control.ts'

/** Tokens in memory, for tests. */
export function makeInMemoryTokens(): TokenRepository {
  const tokens = new Map<string, StoredToken>()

  const change = (id: string, by: (token: StoredToken) => Partial<StoredToken>): void => {
    const token = tokens.get(id)
    if (token !== undefined) tokens.set(id, { ...token, ...by(token) })
  }

  return {
    async add(token) {
      const taken = [...tokens.values()].find(
        ({ name, revokedAt }) => name === token.name && revokedAt === undefined,
      )
      if (taken !== undefined) throw tokenExists(taken)
      tokens.set(token.id, token)
    },
    byId: async (id) => tokens.get(id),
    list: async () => [...tokens.values()],
    async revoke(id, at) {
      change(id, ({ revokedAt = at }) => ({ revokedAt }))
    },
    async touch(id, at) {
      change(id, () => ({ lastUsedAt: at }))
    },
    async remove(id) {
      tokens.delete(id)
    },
  }
}
