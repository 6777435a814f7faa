import type { AegisError, Image, ImageControl, PullProgress } from '@aegis/core'
import {
  image,
  imageSummaries,
  imageSummaryToWire,
  imageToWire,
  pruneResult,
  pruneResultToWire,
} from '@aegis/http-contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { answers, progressAnswers } from './answers.ts'
import { planeOf } from './call.ts'
import type { EventStreams } from './event-stream-reply.ts'
import { forReader } from './for-reader.ts'
import { takeArchives } from './parse-body.ts'
import { refusal } from './problem.ts'
import { buildQuery, emptyBody, imagesQuery, noQuery, pullBody } from './requests.ts'
import { showProgress } from './show-progress.ts'
import { wantsEvents } from './wants-events.ts'

interface Deps {
  readonly streams: EventStreams
  readonly closing: AbortSignal
}

export const imageRoutes: FastifyPluginAsyncZod<Deps> = async (app, { streams, closing }) => {
  const work: Work = async (request, reply, last, make) => {
    const { images } = planeOf(request)
    if (!wantsEvents(request)) {
      const silently = (signal: AbortSignal) => make(images, () => undefined, signal)
      return imageToWire(await forReader(reply, closing, silently))
    }
    return streams.send(reply, (signal) =>
      showProgress(async (onProgress: (progress: PullProgress) => void) => ({
        event: last,
        data: imageToWire(await make(images, onProgress, signal)),
      })),
    )
  }

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
      return work(request, reply, 'pulled', (images, ...how) => images.pull(reference, ...how))
    },
  )

  app.post(
    '/images/prepare',
    {
      schema: {
        tags,
        querystring: noQuery,
        body: pullBody,
        response: progressAnswers(image, '`progress` …, then `prepared`'),
      },
    },
    async (request, reply) => {
      const { reference } = request.body
      return work(request, reply, 'prepared', (images, ...how) => images.prepare(reference, ...how))
    },
  )

  await app.register(buildRoute, { work })

  app.post(
    '/images/prune',
    { schema: { tags, querystring: noQuery, body: emptyBody, response: answers(pruneResult) } },
    async (request) => pruneResultToWire(await planeOf(request).images.prune()),
  )
}

/** In a scope of its own, since no other route takes archives. */
const buildRoute: FastifyPluginAsyncZod<{ readonly work: Work }> = async (app, { work }) => {
  takeArchives(app)
  app.post(
    '/images/build',
    {
      schema: {
        tags,
        description: 'The body is what `docker save` writes, or an OCI layout as tar.',
        querystring: buildQuery,
        response: progressAnswers(image, '`progress` …, then `built`'),
      },
    },
    async (request, reply) => {
      const { name } = request.query
      const archive: unknown = request.body
      if (!isStream(archive)) throw noArchive()
      return work(request, reply, 'built', (images, ...how) =>
        images.build({ archive, name }, ...how),
      )
    },
  )
}

type Work = (
  request: FastifyRequest,
  reply: FastifyReply,
  last: string,
  make: (
    images: ImageControl,
    onProgress: (progress: PullProgress) => void,
    signal: AbortSignal,
  ) => Promise<Image>,
) => Promise<ReturnType<typeof imageToWire> | FastifyReply>

const isStream = (body: unknown): body is AsyncIterable<Uint8Array> =>
  typeof body === 'object' && body !== null && Symbol.asyncIterator in body

const noArchive = (): AegisError =>
  refusal(
    'request.body-missing',
    'The body is to be an archive of an image, sent as application/x-tar: what docker save writes.',
  )

const tags = ['images']
