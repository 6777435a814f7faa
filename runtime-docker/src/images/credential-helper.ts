import { spawn } from 'node:child_process'
import { AegisError } from '@aegis/core'
import * as z from 'zod'
import { disarm } from '../engine/engine-failure.ts'
import type { RegistryAuth } from './docker-config.ts'

/** How helpers are run. */
export interface HelperHost {
  /** They need `PATH`, and often `HOME`. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Default 30,000: a helper may ask a cloud, or open a keychain. */
  readonly helperTimeoutMs?: number
}

/** Most that a helper may say. */
export const helperAnswerMaxBytes = 64 * 1024

const defaultTimeoutMs = 30_000

const answerSchema = z.object({ Username: z.string(), Secret: z.string() })

/**
 * Asks `docker-credential-NAME` for the credentials of a server, by the protocol of Docker's
 * credential helpers. Undefined when it has none.
 * @throws AegisError `invalid` / `image.credentials` there is no such helper, or it fails
 */
export async function askCredentialHelper(
  host: HelperHost,
  name: string,
  server: string,
  signal: AbortSignal,
): Promise<RegistryAuth | undefined> {
  const program = `docker-credential-${name}`
  const { status, answer } = await run(host, program, server, signal)
  if (status !== 0) {
    if (/credentials not found/i.test(answer)) return undefined
    throw helperFailed(program, `it failed: ${disarm(answer).slice(0, 200) || `status ${status}`}`)
  }
  const parsed = answerSchema.safeParse(jsonOf(answer))
  if (!parsed.success) throw helperFailed(program, 'its answer is not what a helper says')
  const { Username: username, Secret: secret } = parsed.data
  if (username === '' && secret === '') return undefined
  // This name marks a token, see docker login.
  return username === '<token>' ? { identitytoken: secret } : { username, password: secret }
}

interface Finished {
  /** Exit code, or the signal that ended it. */
  readonly status: number | string
  readonly answer: string
}

async function run(
  { environment, helperTimeoutMs: timeoutMs = defaultTimeoutMs }: HelperHost,
  program: string,
  server: string,
  signal: AbortSignal,
): Promise<Finished> {
  const tooSlow = AbortSignal.timeout(timeoutMs)
  const child = spawn(program, ['get'], {
    env: environment,
    stdio: ['pipe', 'pipe', 'ignore'],
    killSignal: 'SIGKILL',
    signal: AbortSignal.any([signal, tooSlow]),
  })
  try {
    return await new Promise<Finished>((resolve, reject) => {
      const chunks: Buffer[] = []
      let bytes = 0
      child.stdout.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes <= helperAnswerMaxBytes) chunks.push(chunk)
        else reject(helperFailed(program, `it says more than ${helperAnswerMaxBytes} bytes`))
      })
      child.once('error', (cause) => {
        if (signal.aborted) reject(signal.reason)
        else if (!tooSlow.aborted) reject(helperFailed(program, 'it cannot be started', cause))
        else reject(helperFailed(program, `it did not end within ${timeoutMs} ms`))
      })
      child.once('close', (code, killed) =>
        resolve({ status: code ?? String(killed), answer: Buffer.concat(chunks).toString('utf8') }),
      )
      // It may end without having read.
      child.stdin.on('error', () => undefined)
      child.stdin.end(server)
    })
  } finally {
    child.kill('SIGKILL')
    // A child of the helper may still hold the other end.
    child.stdout.destroy()
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const helperFailed = (program: string, because: string, cause?: unknown): AegisError =>
  new AegisError(
    'invalid',
    'image.credentials',
    `The credential helper ${program} that Docker's config names cannot be used: ${because}. Mend it, or remove it from the config and log in anew: docker login`,
    { cause },
  )
