import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AegisError } from '@aegis/core'
import * as z from 'zod'
import { lineOfJsonFault } from './json-fault.ts'

/** What a registry is shown, in the names of the Engine API. */
export type RegistryAuth =
  | { readonly username: string; readonly password: string }
  | { readonly identitytoken: string }
  | { readonly registrytoken: string }

/** `config.json` of Docker, as far as it is about credentials. */
export interface DockerConfig {
  /** Registries with an entry, as the file writes them. */
  readonly servers: readonly string[]
  /** Name of the helper for the first of these keys that has one, else of the one for all. */
  helperOf(keys: readonly string[]): string | undefined
  /** Undefined where the entry says nothing. @throws AegisError `invalid` / `image.credentials` */
  entry(server: string): RegistryAuth | undefined
}

const maxFileCharacters = 1 << 20

/**
 * Reads the config of a directory; without a file it is empty. Only what is asked for must be
 * right: an entry for another registry is not looked at.
 * @throws AegisError `invalid` / `image.credentials`, with file and line and never with the text
 */
export async function readDockerConfig(directory: string): Promise<DockerConfig> {
  const path = join(directory, 'config.json')
  return parseDockerConfig(await textOf(path), path)
}

/** @throws AegisError `invalid` / `image.credentials` */
export function parseDockerConfig(text: string, path: string): DockerConfig {
  const wrong = (line: number, because: string): AegisError => brokenConfig(path, line, because)
  const { auths = {}, credHelpers = {}, credsStore } = configOf(text, wrong)

  const helperName = (value: unknown, key: string): string => {
    if (typeof value === 'string' && helperPattern.test(value)) return value
    throw wrong(lineOf(text, key), `${key} must name a helper, like desktop or ecr-login`)
  }
  return {
    servers: Object.keys(auths),
    helperOf(keys) {
      const key = keys.find((one) => Object.hasOwn(credHelpers, one))
      if (key !== undefined) return helperName(credHelpers[key], key)
      return credsStore === undefined || credsStore === ''
        ? undefined
        : helperName(credsStore, 'credsStore')
    },
    entry(server) {
      const entry = entrySchema.safeParse(Object.hasOwn(auths, server) ? auths[server] : {})
      if (entry.success) return entry.data
      throw wrong(
        lineOf(text, server),
        `the entry for ${server} must have an "auth" of base64, or a "username" and a "password"`,
      )
    },
  }
}

/** Becomes part of a program's name, so it must lead nowhere else. */
const helperPattern = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/

const configSchema = z.object({
  auths: z.record(z.string(), z.unknown()).nullish(),
  credHelpers: z.record(z.string(), z.unknown()).nullish(),
  credsStore: z.unknown().optional(),
})

const field = z.string().max(65_536).optional()

const entrySchema = z
  .object({
    auth: field,
    username: field,
    password: field,
    identitytoken: field,
    registrytoken: field,
  })
  .transform((entry, context): RegistryAuth | undefined => {
    const { auth, username, password, identitytoken, registrytoken } = entry
    if (identitytoken) return { identitytoken }
    if (registrytoken) return { registrytoken }
    if (auth) {
      const decoded = decodeAuth(auth)
      if (decoded === undefined) context.addIssue({ code: 'custom' })
      return decoded
    }
    // `docker login` leaves empty entries where a helper keeps the rest.
    return username && password ? { username, password } : undefined
  })

function decodeAuth(auth: string): RegistryAuth | undefined {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(auth)) return undefined
  const decoded = Buffer.from(auth, 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  if (colon < 1) return undefined
  const password = decoded.slice(colon + 1).replace(/\0+$/, '')
  return { username: decoded.slice(0, colon), password }
}

type Wrong = (line: number, because: string) => AegisError

function configOf(text: string, wrong: Wrong) {
  const parsed = configSchema.safeParse(jsonIn(text, wrong))
  if (!parsed.success) {
    const key = String(parsed.error.issues[0]?.path[0] ?? '')
    throw wrong(lineOf(text, key), `${key === '' ? 'the file' : key} must hold an object`)
  }
  const { auths, credHelpers, credsStore } = parsed.data
  return { auths: auths ?? {}, credHelpers: credHelpers ?? {}, credsStore }
}

function jsonIn(text: string, wrong: Wrong): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw wrong(lineOfJsonFault(text), 'this is not JSON')
  }
}

async function textOf(path: string): Promise<string> {
  try {
    const text = await readFile(path, 'utf8')
    if (text.length <= maxFileCharacters) return text.trim() === '' ? '{}' : text
    throw brokenConfig(path, 1, `the file is longer than ${maxFileCharacters} characters`)
  } catch (cause) {
    if (cause instanceof AegisError) throw cause
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return '{}'
    throw new AegisError(
      'invalid',
      'image.credentials',
      `Docker's credentials at ${path} cannot be read (${code}). Let the user who runs AEGIS read the file`,
      { cause },
    )
  }
}

/** Where a key stands; the first line when it does not. */
function lineOf(text: string, key: string): number {
  const index = text.indexOf(JSON.stringify(key))
  return text.slice(0, Math.max(0, index)).split('\n').length
}

const brokenConfig = (path: string, line: number, because: string): AegisError =>
  new AegisError(
    'invalid',
    'image.credentials',
    `Docker's credentials at ${path}:${line} cannot be used: ${because}. Mend the file, or log in anew: docker login`,
    { details: { path, line } },
  )
