import type { FastifyRequest } from 'fastify'

/** Whether the client asks for server-sent events (RFC 9110, section 12.5.1); a bare wildcard does not. */
export const wantsEvents = ({ headers }: Pick<FastifyRequest, 'headers'>): boolean =>
  (headers.accept ?? '')
    .split(',')
    .some((range) => /^text\/event-stream(;|$)/i.test(range.replaceAll(/[ \t]/g, '')))
