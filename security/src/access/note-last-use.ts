import type { Clock, Logger, TokenId, TokenRepository } from '@aegis/core'

interface LastUse extends AsyncDisposable {
  /** Returns at once; what is to be written is written behind the request. */
  note(id: TokenId): void
}

interface Options {
  readonly tokens: Pick<TokenRepository, 'touch'>
  readonly clock: Clock
  readonly logger: Logger
}

const minuteMs = 60_000
/** Of which it is known when they were last written; a node keeps no more tokens than that. */
const maxTokens = 1000

/** Writes down when a token was used, to the minute and at most once a minute for each. */
export function noteLastUse({ tokens, clock, logger }: Options): LastUse {
  const writtenAt = new Map<TokenId, number>()
  const writing = new Set<Promise<void>>()

  const write = async (id: TokenId, minute: number): Promise<void> => {
    // Behind the request that is being answered: a write may wait for the disk.
    await new Promise<void>((resolve) => setImmediate(resolve))
    try {
      await tokens.touch(id, new Date(minute * minuteMs).toISOString())
    } catch (error) {
      logger.warn({ err: error, tokenId: id }, 'the last use of a token was not noted')
    }
  }

  return {
    note(id) {
      const minute = Math.floor(Date.parse(clock.now()) / minuteMs)
      if (writtenAt.get(id) === minute) return
      writtenAt.delete(id)
      writtenAt.set(id, minute)
      const [oldest] = writtenAt.keys()
      if (writtenAt.size > maxTokens && oldest !== undefined) writtenAt.delete(oldest)
      const written = write(id, minute).finally(() => writing.delete(written))
      writing.add(written)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(writing)
    },
  }
}
