import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SandboxFile } from '@aegis/core'
import { ownDirectory } from './own-directory.ts'

/** A script that turns a prompt into an answer, and how to run it. */
export interface Bootstrap {
  readonly file: SandboxFile
  readonly argv: readonly [string, ...string[]]
  /** It can be started ahead: see the head of the script. */
  readonly standsBy: boolean
}

/** The bootstrap script as a file to put into a sandbox, and the argv that runs it there. */
export function bootstrapFor(language: 'python' | 'javascript'): Bootstrap {
  return language === 'python' ? load('python3', 'bootstrap.py') : load('node', 'bootstrap.mjs')
}

function load(interpreter: string, name: string): Bootstrap {
  const path = `/tmp/aegis-${name}`
  const content = readFileSync(join(ownDirectory('bootstrap'), name))
  return { file: { path, content, mode: 0o755 }, argv: [interpreter, path], standsBy: true }
}
