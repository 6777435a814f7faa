import { problem, streamedEvent } from '@aegis/http-contract'
import { z } from 'zod'

const failed = {
  description: 'What went wrong, where, and what to do (RFC 9457)',
  content: { 'application/problem+json': { schema: problem } },
}

/** The answers of a route for the router and for OpenAPI: `schema` when all went well. */
export const answers = <Schema extends z.ZodType>(schema: Schema) => ({
  200: schema,
  default: failed,
})

/** The answers of a route that streams events. */
export const eventAnswers = {
  200: {
    description: 'Server-sent events; the data of each is JSON of this form',
    content: { 'text/event-stream': { schema: streamedEvent } },
  },
  204: z.undefined().describe('Finished, and nothing is left to resume'),
  default: failed,
}
