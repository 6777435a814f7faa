import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, realpath } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { AegisError, type Interpreter } from '@aegis/core'

/** How one interpreter gets into a sandbox. */
export interface InterpreterMount {
  /** Path inside that the names below link to. */
  readonly program: string
  /** What to bind read-only; absent when it is part of /usr. */
  readonly bind?: { readonly hostPath: string; readonly inside: string }
  readonly names: readonly string[]
}

export interface InterpretersOptions {
  /** The Node that runs AEGIS. */
  readonly nodePath: string
  /** A python3 to use instead of searching for one. */
  readonly pythonPath?: string
  /** Where to look for python3 besides /usr/bin, separated as in PATH. */
  readonly searchPath?: string
}

export interface Interpreters {
  readonly languages: readonly Interpreter['language'][]
  /** Path of python3 on the host, if there is one. */
  readonly pythonPath: string | undefined
  /** @throws AegisError `unsupported` / `interpreter.absent` */
  mountsFor(language: Interpreter['language']): Promise<readonly InterpreterMount[]>
}

/** Finds the interpreters; cheap, since a python outside /usr is only asked about at its first use. */
export async function findInterpreters(options: InterpretersOptions): Promise<Interpreters> {
  const node: InterpreterMount = {
    program: '/opt/aegis/node/bin/node',
    bind: { hostPath: await realpath(options.nodePath), inside: '/opt/aegis/node/bin/node' },
    names: ['node'],
  }
  const pythonPath = await findPython(options)
  let python: Promise<InterpreterMount> | undefined
  return {
    languages: ['javascript', ...(pythonPath === undefined ? [] : (['python'] as const)), 'none'],
    pythonPath,
    async mountsFor(language) {
      switch (language) {
        case 'javascript':
        case 'none':
          return [node]
        case 'python':
          if (pythonPath === undefined) throw noPython()
          python ??= inspectPython(pythonPath).catch((error) => {
            // Asked again next time: it may only have been too slow once.
            python = undefined
            throw error
          })
          return [await python]
      }
    },
  }
}

const run = promisify(execFile)

async function findPython(options: InterpretersOptions): Promise<string | undefined> {
  const searched = (options.searchPath ?? '').split(delimiter).filter((entry) => entry !== '')
  const candidates = options.pythonPath
    ? [options.pythonPath]
    : ['/usr/bin/python3', ...searched.map((entry) => join(entry, 'python3'))]
  for (const path of candidates) {
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  return undefined
}

/** Version managers put scripts in front of the interpreter, so python itself says where it lies. */
async function inspectPython(path: string): Promise<InterpreterMount> {
  const names = ['python3', 'python']
  const inUsr = await realpath(path).catch(() => path)
  if (inUsr.startsWith('/usr/')) return { program: inUsr, names }
  const question = 'import os,sys; print(os.path.realpath(sys.executable)); print(sys.base_prefix)'
  const { stdout } = await run(path, ['-I', '-S', '-c', question], { timeout: 10_000 }).catch(
    (cause) => {
      throw new AegisError(
        'unsupported',
        'interpreter.broken',
        `${path} does not run (${cause.message.trim()}). Install python3 (apt-get install python3), or use language javascript`,
        { cause },
      )
    },
  )
  const [program = '', prefix = ''] = stdout.split('\n')
  if (program.startsWith('/usr/')) return { program, names }
  const hostPath = await realpath(prefix)
  if (hostPath === '/' || !program.startsWith(`${hostPath}/`)) throw noPython()
  return { program, bind: { hostPath, inside: hostPath }, names }
}

const noPython = (): AegisError =>
  new AegisError(
    'unsupported',
    'interpreter.absent',
    'This host has no python3 that a sandbox could use. Install it (apt-get install python3), or use language javascript',
  )
