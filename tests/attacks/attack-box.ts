import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Sandbox } from '@aegis/core'
import { afterAll, beforeAll } from 'vitest'
import { type HostScene, never } from '../contract/hosts/host-scene.ts'
import type { SandboxHost } from '../contract/hosts/sandbox-host.ts'
import { type Collected, run, type SpecOverrides } from '../contract/sandbox-driver.ts'

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
  host: SandboxHost,
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
    run(sandbox, argv, { PATH: host.kind.path, HOME: '/workspace' })
  return {
    sandbox,
    sh: (script, ...args) => execute(['/bin/sh', '-c', script, 'sh', ...args]),
    run: (program, ...args) => execute([`/workspace/${program}`, ...args]),
    node: (script, ...args) => execute(['node', '-e', script, ...args]),
  }
}

/** One box for all tests of a suite; for attacks that, when they fail, change nothing. */
export function shareAttackBox(
  scene: HostScene,
  overrides?: SpecOverrides,
  programs: readonly string[] = [],
): () => AttackBox {
  let shared: AttackBox | undefined
  beforeAll(async () => {
    const compiled = programs.map(async (name) => [name, await compilePayload(name)] as const)
    shared = await openAttackBox(
      scene.host,
      overrides,
      Object.fromEntries(await Promise.all(compiled)),
    )
  })
  afterAll(() => scene.host.tidy())
  return () => {
    if (shared === undefined) throw new Error('The box is there in tests only')
    return shared
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
