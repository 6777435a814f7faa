import type { ControlPlane } from '@aegis/core'
import {
  image,
  imageSummaries,
  imageSummaryToWire,
  imageToWire,
  pruneResult,
  pruneResultToWire,
} from '@aegis/http-contract'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { answers, progressAnswers } from './answers.ts'
import type { EventStreams } from './event-stream-reply.ts'
import { forReader } from './for-reader.ts'
import { emptyBody, imagesQuery, noQuery, pullBody } from './requests.ts'
import { showProgress } from './show-progress.ts'
import { wantsEvents } from './wants-events.ts'

interface Deps {
  readonly controlPlane: ControlPlane
  readonly streams: EventStreams
  readonly closing: AbortSignal
}

export const imageRoutes: FastifyPluginAsyncZod<Deps> = async (
  app,
  { controlPlane: { images }, streams, closing },
) => {
  app.get(
    '/images',
    { schema: { tags, querystring: imagesQuery, response: answers(imageSummaries) } },
    async ({ query }) => (await images.list(query)).map(imageSummaryToWire),
  )

  app.post(
    '/images/pull',
    {
      schema: {
        tags,
        querystring: noQuery,
        body: pullBody,
        response: progressAnswers(image, '`progress` …, then `pulled`'),
      },
    },
    async (request, reply) => {
      const { reference } = request.body
      if (!wantsEvents(request)) {
        const pull = (signal: AbortSignal) => images.pull(reference, () => undefined, signal)
        return imageToWire(await forReader(reply, closing, pull))
      }
      return streams.send(reply, (signal) =>
        showProgress(async (onProgress) => {
          const pulled = await images.pull(reference, onProgress, signal)
          return { event: 'pulled', data: imageToWire(pulled) }
        }),
      )
    },
  )

  app.post(
    '/images/prune',
    { schema: { tags, querystring: noQuery, body: emptyBody, response: answers(pruneResult) } },
    async () => pruneResultToWire(await images.prune()),
  )
}

const tags = ['images']
