import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SandboxFile } from '@aegis/core'

/** A script that turns a prompt into an answer, and how to run it. */
export interface Bootstrap {
  readonly file: SandboxFile
  readonly argv: readonly [string, ...string[]]
}

const directory = join(import.meta.dirname, '..', 'bootstrap')
const path = '/tmp/aegis-bootstrap'

/** The bootstrap script as a file to put into a sandbox, and the argv that runs it there. */
export function bootstrapFor(language: 'python' | 'javascript'): Bootstrap {
  if (language === 'python') return make('bootstrap.py', `${path}.py`, 'python3')
  return make('bootstrap.mjs', `${path}.mjs`, 'node')
}

function make(source: string, target: string, interpreter: string): Bootstrap {
  const content = readFileSync(join(directory, source))
  return { file: { path: target, content, mode: 0o755 }, argv: [interpreter, target] }
}
