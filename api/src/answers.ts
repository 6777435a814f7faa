import { problem, pullProgress, streamedEvent } from '@aegis/http-contract'
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

/** The answers of a route that gives something other than JSON. */
export const plainAnswers = (type: string, description: string) => ({
  200: { description, content: { [type]: { schema: z.unknown() } } },
  default: failed,
})

/** The answers of a route that streams events; `schema` is that of each one's data. */
export const streamAnswers = <Schema extends z.ZodType>(schema: Schema) => ({
  200: {
    description: 'Server-sent events; the data of each is JSON of this form',
    content: { 'text/event-stream': { schema } },
  },
  default: failed,
})

/** The answers of a route that streams the events of executions. */
export const eventAnswers = {
  ...streamAnswers(streamedEvent),
  204: z.undefined().describe('Finished, and nothing is left to resume'),
}

/** The answers of a route that may take long: with `Accept: text/event-stream` it says how far it is. */
export const progressAnswers = <Schema extends z.ZodType>(
  schema: Schema,
  events: string,
  progress: z.ZodType = pullProgress,
) => ({
  200: {
    description: `When all went well. As server-sent events: ${events} with the same data as the plain answer, or \`problem\``,
    content: {
      'application/json': { schema },
      'text/event-stream': { schema: z.union([progress, schema, problem]) },
    },
  },
  default: failed,
})
