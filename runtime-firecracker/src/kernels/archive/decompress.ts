import { spawn } from 'node:child_process'
import { pipeline, type Readable, type Transform, type Writable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { AegisError } from '@aegis/core'

/** Told by the end of a file's name. */
export type Compression = 'xz' | 'zst' | 'gz' | 'none'

export const compressionOf = (name: string): Compression | undefined =>
  /\.xz$/.test(name)
    ? 'xz'
    : /\.zst$/.test(name)
      ? 'zst'
      : /\.gz$/.test(name)
        ? 'gz'
        : /\.tar$/.test(name)
          ? 'none'
          : undefined

export interface DecompressOptions {
  /** More than that is a bomb. */
  readonly maxBytes: number
  readonly signal: AbortSignal
  /** Where `xz` is looked for; another one in tests. */
  readonly xzPath?: string
}

/**
 * What a compressed file unpacks to. Whoever stops reading early ends it.
 * @throws AegisError while it is read: `unsupported` / `kernel.no-xz` · `invalid` / `kernel.package`
 */
export async function* decompress(
  content: Readable,
  compression: Compression,
  options: DecompressOptions,
): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of stagesOf(content, compression, options)) {
    bytes += chunk.length
    if (bytes > options.maxBytes)
      throw invalid(`unpacks to more than ${options.maxBytes} bytes, which are allowed`)
    yield chunk
  }
}

function stagesOf(
  content: Readable,
  compression: Compression,
  options: DecompressOptions,
): AsyncIterable<Buffer> {
  switch (compression) {
    case 'none':
      return content
    case 'gz':
      return built(content, createGunzip())
    case 'zst':
      return built(content, createZstdDecompress())
    case 'xz':
      return unxz(content, options)
  }
}

async function* built(content: Readable, stage: Transform): AsyncGenerator<Buffer> {
  // The error arrives where the stage is read.
  pipeline(content, stage, () => {})
  try {
    yield* stage
  } catch (cause) {
    if (cause instanceof AegisError || isAbort(cause)) throw cause
    throw invalid(`cannot be unpacked: ${cause instanceof Error ? cause.message : cause}`, cause)
  } finally {
    stage.destroy()
    content.destroy()
  }
}

/** Node knows no xz, so the program unpacks it, in no more memory than an honest file needs. */
async function* unxz(
  content: Readable,
  { signal, xzPath = 'xz' }: DecompressOptions,
): AsyncGenerator<Buffer> {
  const child = spawn(xzPath, ['--decompress', '--stdout', '--memlimit-decompress=128MiB'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {},
    signal,
    killSignal: 'SIGKILL',
  })
  let words = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(0, 500)
  })
  const ended = new Promise<Error | number | null>((resolve) => {
    child.on('error', resolve)
    child.on('close', resolve)
  })
  feed(content, child.stdin)
  try {
    yield* child.stdout
    const end = await ended
    if (end instanceof Error) throw isAbsent(end) ? noXz(end) : end
    if (end !== 0) throw invalid(`cannot be unpacked: ${words.trim() || 'xz failed'}`)
  } finally {
    content.destroy()
    child.kill('SIGKILL')
  }
}

/** A program that ended does not read on, and says why itself; what cannot be read ends it. */
const feed = (content: Readable, stdin: Writable): void => {
  pipeline(content, stdin, () => {})
}

const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError'

const isAbsent = (error: Error): boolean => 'code' in error && error.code === 'ENOENT'

const noXz = (cause: Error) =>
  new AegisError(
    'unsupported',
    'kernel.no-xz',
    'The package is compressed with xz, which is not installed here. Install it: apt-get install xz-utils',
    { cause },
  )

const invalid = (reason: string, cause?: unknown) =>
  new AegisError(
    'invalid',
    'kernel.package',
    `The package ${reason}. Fetch it again: aegis kernel fetch`,
    { cause },
  )
