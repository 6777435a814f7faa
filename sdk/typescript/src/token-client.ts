import type { TokenControl } from '@aegis/core'
import {
  createdToken,
  createdTokenFromWire,
  newTokenToWire,
  tokenFacts,
  tokenFactsFromWire,
  tokenList,
  whoAmI,
  whoAmIFromWire,
} from '@aegis/http-contract'
import type { HttpTransport } from './http-transport.ts'
import { tokenPath } from './paths.ts'

export function makeTokenClient(transport: HttpTransport): TokenControl {
  return {
    async create(request) {
      const call = { method: 'POST', path: '/tokens', body: newTokenToWire(request) } as const
      return createdTokenFromWire(await transport.call(call, createdToken))
    },
    async list() {
      const tokens = await transport.call({ method: 'GET', path: '/tokens' }, tokenList)
      return tokens.map(tokenFactsFromWire)
    },
    async revoke(ref) {
      const call = { method: 'DELETE', path: tokenPath(ref) } as const
      return tokenFactsFromWire(await transport.call(call, tokenFacts))
    },
    async whoami() {
      return whoAmIFromWire(await transport.call({ method: 'GET', path: '/whoami' }, whoAmI))
    },
  }
}
