import { AegisError } from '@aegis/core'
import { signedManifestType } from '@aegis/http-contract'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { limits } from './limits.ts'
import { refusal } from './problem.ts'

/**
 * JSON bodies: strict JSON, bounded depth, and none of the keys that reach into prototypes. An
 * empty body counts as none, since many clients always send the header.
 */
export function parseJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_request: FastifyRequest, text: string | Buffer) =>
      text.length === 0 ? undefined : parseJson(String(text)),
  )
}

/** JSON bodies of which no error may quote anything. */
export function parseSecretBodies(app: FastifyInstance): void {
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_request: FastifyRequest, text: string | Buffer) => {
      if (text.length === 0) return undefined
      try {
        return parseJson(String(text))
      } catch (error) {
        if (!(error instanceof AegisError) || error.code !== 'request.body-malformed') throw error
        throw refusal('request.body-malformed', 'The body is not JSON.')
      }
    },
  )
}

/** YAML as text, where a manifest may come so. */
export function takeYamlBodies(app: FastifyInstance): void {
  const types = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml']
  app.addContentTypeParser(
    types,
    { parseAs: 'string' },
    async (_request: FastifyRequest, text: string | Buffer) => String(text),
  )
}

/** Signed notes as text, where a manifest may come so. */
export function takeSignedBodies(app: FastifyInstance): void {
  app.addContentTypeParser(
    signedManifestType,
    { parseAs: 'string' },
    async (_request: FastifyRequest, text: string | Buffer) => String(text),
  )
}

/** Archives as they come, of any length: whoever reads one bounds it. */
export function takeArchives(app: FastifyInstance): void {
  app.addContentTypeParser(
    ['application/x-tar', 'application/octet-stream'],
    async (_request: FastifyRequest, stream: AsyncIterable<Uint8Array>) => stream,
  )
}

/** Whether the body is a signed note. */
export const isSignedBody = ({ headers }: FastifyRequest): boolean =>
  headers['content-type']?.split(';')[0]?.trim().toLowerCase() === signedManifestType

export function parseJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text.startsWith('\uFEFF') ? text.slice(1) : text)
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? cause.message : 'malformed'
    throw refusal('request.body-malformed', `The body is not JSON: ${reason}`)
  }
  checkShape(value)
  return value
}

/** Walks without recursion: depth is what it protects from. */
function checkShape(root: unknown): void {
  let level: unknown[] = [root]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > limits.bodyDepth) {
      throw new AegisError(
        'invalid',
        'request.body-too-deep',
        `The body nests more than ${limits.bodyDepth} arrays or objects.`,
      )
    }
    level = level.flatMap((value) => {
      if (typeof value !== 'object' || value === null) return []
      if (Object.hasOwn(value, '__proto__')) {
        throw new AegisError(
          'invalid',
          'request.body-key',
          'The body has a key named __proto__, which the API does not take. Rename it.',
        )
      }
      return Object.values(value)
    })
  }
}
