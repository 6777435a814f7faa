import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Sandbox } from '@aegis/core'
import { sandboxPath } from '@aegis/runtime-process'
import type { ProcessHost } from '../contract/hosts/process-host.ts'
import { type Collected, run, type SpecOverrides } from '../contract/sandbox-driver.ts'

const never = new AbortController().signal

/** A sandbox whose inhabitant means harm. */
export interface AttackBox {
  readonly sandbox: Sandbox
  /** Runs a shell script inside; its arguments are `$1` and so on. */
  sh(script: string, ...args: readonly string[]): Promise<Collected>
  /** Runs a program that was put in with `install`. */
  run(program: string, ...args: readonly string[]): Promise<Collected>
  node(script: string, ...args: readonly string[]): Promise<Collected>
}

/** Boots a box with these payload programs in /workspace; gone when the host is tidied. */
export async function openAttackBox(
  host: ProcessHost,
  overrides: SpecOverrides = {},
  programs: Readonly<Record<string, Uint8Array>> = {},
): Promise<AttackBox> {
  const sandbox = await host.boot(overrides)
  const files = Object.entries(programs).map(([name, content]) => ({
    path: `/workspace/${name}`,
    content,
    mode: 0o755,
  }))
  await sandbox.writeFiles(files, never)
  const execute = (argv: readonly [string, ...string[]]) =>
    run(sandbox, argv, { PATH: sandboxPath, HOME: '/workspace' })
  return {
    sandbox,
    sh: (script, ...args) => execute(['/bin/sh', '-c', script, 'sh', ...args]),
    run: (program, ...args) => execute([`/workspace/${program}`, ...args]),
    node: (script, ...args) => execute(['node', '-e', script, ...args]),
  }
}

/** Compiles one of the C programs in payloads/. */
export async function compilePayload(name: string): Promise<Uint8Array> {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-payload-'))
  try {
    const source = fileURLToPath(new URL(`./payloads/${name}.c`, import.meta.url))
    const program = join(directory, name)
    await promisify(execFile)('cc', ['-O1', '-static', '-pthread', '-o', program, source])
    return await readFile(program)
  } finally {
    await rm(directory, { recursive: true })
  }
}
