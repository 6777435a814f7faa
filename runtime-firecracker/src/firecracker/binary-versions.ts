import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { AegisError } from '@aegis/core'
import { disarm } from '../disarm.ts'

const run = promisify(execFile)

/** Before it, the wire could not be moved when a snapshot is restored. */
export const oldestVersion = [1, 16, 1] as const

/**
 * The version that Firecracker and its jailer have in common: `1.16.1`, `1.17.0-dev`.
 * @throws AegisError `unsupported` / `firecracker.absent`, `firecracker.version`
 */
export async function commonVersion(
  firecrackerPath: string,
  jailerPath: string,
  signal: AbortSignal,
): Promise<string> {
  const [firecracker, jailer] = await Promise.all([
    ownVersion(firecrackerPath, 'Firecracker', 'firecracker_path', signal),
    ownVersion(jailerPath, 'Jailer', 'jailer_path', signal),
  ])
  if (firecracker !== jailer)
    throw unfit(
      `${firecrackerPath} is version ${firecracker}, and ${jailerPath} is ${jailer}; they belong together only when equal. Install both from one release`,
    )
  if (isOlder(firecracker))
    throw unfit(
      `Firecracker ${firecracker} is too old. Install ${oldestVersion.join('.')} or newer, and its jailer`,
    )
  return firecracker
}

/** What a binary says of itself: `Firecracker v1.16.1`. Undefined when it is something else. */
export function parseVersion(said: string, name: string): string | undefined {
  const [, theirs, version] =
    /^(\w+) v(\d{1,4}\.\d{1,4}\.\d{1,4}(?:-[\w.-]{1,40})?)\s/.exec(said) ?? []
  return theirs === name ? version : undefined
}

export function isOlder(version: string): boolean {
  const parts = version.split(/[.-]/).map(Number)
  for (const [index, least] of oldestVersion.entries()) {
    const part = parts[index] ?? 0
    if (part !== least) return part < least
  }
  return false
}

async function ownVersion(path: string, name: string, field: string, signal: AbortSignal) {
  const options = { signal, timeout: 10_000, env: {}, maxBuffer: 64 << 10 }
  const { stdout } = await run(path, ['--version'], options).catch((cause: Error) => {
    signal.throwIfAborted()
    throw new AegisError(
      'unsupported',
      'firecracker.absent',
      `${name} cannot be run at ${path}: ${disarm(cause.message)}. Install it from a release of github.com/firecracker-microvm/firecracker, or say where it is (spec.runtime.firecracker.${field})`,
      { cause },
    )
  })
  const version = parseVersion(`${stdout}\n`, name)
  if (version === undefined) throw unfit(`${path} is not ${name}: it says ${disarm(stdout, 200)}`)
  return version
}

const unfit = (message: string): AegisError =>
  new AegisError('unsupported', 'firecracker.version', message)
