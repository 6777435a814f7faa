import { spawn } from 'node:child_process'
import { access } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { AegisError } from '@aegis/core'
import { kernelLimits } from '../kernel-limits.ts'

export interface VerifyOptions {
  /** Keys of the distribution. */
  readonly keyring: string
  readonly signal: AbortSignal
  readonly gpgvPath?: string
}

export const debianKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * The text that is signed in an `InRelease`, when a key of the keyring signed it. Only what gpgv
 * gives back is of use: what stands around the signature is anybody's.
 * @throws AegisError `unsupported` / `kernel.no-keyring`, `kernel.no-gpgv` · `denied` /
 * `kernel.signature`
 */
export async function verifyInRelease(
  inRelease: Buffer,
  { keyring, signal, gpgvPath = 'gpgv' }: VerifyOptions,
): Promise<string> {
  await access(keyring).catch((cause) => {
    throw new AegisError(
      'unsupported',
      'kernel.no-keyring',
      `The distribution's keys are not at ${keyring}, so that nothing from it could be trusted. Install them (apt-get install debian-archive-keyring), or name them with --keyring.`,
      { cause },
    )
  })
  const child = spawn(gpgvPath, ['--status-fd', '3', '--keyring', keyring, '--output', '-', '-'], {
    stdio: ['pipe', 'pipe', 'ignore', 'pipe'],
    env: { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' },
    signal,
    killSignal: 'SIGKILL',
  })
  const text = collect(child.stdout, kernelLimits.releaseBytes)
  const status = collect(child.stdio[3], 64 << 10)
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => resolve())
  })
  // What gpgv does not read is no matter: its status tells.
  child.stdin?.on('error', () => {})
  child.stdin?.end(inRelease)
  await ended.catch((cause: unknown) => {
    signal.throwIfAborted()
    throw noGpgv(cause)
  })
  const signed = text()
  if (isGood(status()) && signed.length > 0) return signed
  throw new AegisError(
    'denied',
    'kernel.signature',
    `The index of the distribution is not signed by a key of ${keyring}. Name another mirror with --mirror, or newer keys with --keyring.`,
    { details: { gpgv: status().slice(0, 1000) } },
  )
}

/**
 * One signed text and nothing else, with a good signature. A second signature by a key that an older
 * keyring does not have yet is no harm, so gpgv's exit code says too little.
 */
export function isGood(status: string): boolean {
  const words = status.split('\n').flatMap((line) => /^\[GNUPG:\] (\w+)/.exec(line)?.[1] ?? [])
  const count = (word: string) => words.filter((one) => one === word).length
  return (
    count('PLAINTEXT') === 1 &&
    count('GOODSIG') > 0 &&
    !words.some((word) => /^(BADSIG|EXPSIG|EXPKEYSIG|REVKEYSIG|ERROR|FAILURE)$/.test(word))
  )
}

/** What came, as text; nothing when it was too much. */
function collect(stream: unknown, maxBytes: number): () => string {
  const parts: Buffer[] = []
  let bytes = 0
  if (!(stream instanceof Readable)) throw new Error('gpgv was started without this pipe')
  stream.on('data', (part: Buffer) => {
    bytes += part.length
    if (bytes <= maxBytes) parts.push(part)
  })
  return () => (bytes > maxBytes ? '' : Buffer.concat(parts).toString('utf8'))
}

const noGpgv = (cause: unknown) =>
  new AegisError(
    'unsupported',
    'kernel.no-gpgv',
    "gpgv is not installed, so that the distribution's signature cannot be verified. Install it: apt-get install gpgv",
    { cause },
  )
