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
import { planeOf } from './call.ts'
import type { EventStreams } from './event-stream-reply.ts'
import { forReader } from './for-reader.ts'
import { emptyBody, imagesQuery, noQuery, pullBody } from './requests.ts'
import { showProgress } from './show-progress.ts'
import { wantsEvents } from './wants-events.ts'

interface Deps {
  readonly streams: EventStreams
  readonly closing: AbortSignal
}

export const imageRoutes: FastifyPluginAsyncZod<Deps> = async (app, { streams, closing }) => {
  app.get(
    '/images',
    { schema: { tags, querystring: imagesQuery, response: answers(imageSummaries) } },
    async (request) => (await planeOf(request).images.list(request.query)).map(imageSummaryToWire),
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
      const { images } = planeOf(request)
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
    async (request) => pruneResultToWire(await planeOf(request).images.prune()),
  )
}

const tags = ['images']
