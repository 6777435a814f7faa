import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The real `aegis` command, with a home, a folder and a port of its own. */
export interface AegisCommand extends AsyncDisposable {
  readonly home: string
  /** Where the command runs, and where `write` puts files. */
  readonly folder: string
  readonly port: number
  /** Runs to the end, whatever the exit code. */
  run(...args: readonly string[]): Promise<Ran>
  runWith(options: RunOptions, ...args: readonly string[]): Promise<Ran>
  /** Starts, to be signalled or listened to. */
  start(...args: readonly string[]): Running
  write(path: string, text: string): Promise<string>
}

export interface RunOptions {
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
  readonly node?: string
}

export interface Ran {
  /** The exit code, or the signal that ended it. */
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ran>
  /** Resolves as soon as stdout and stderr together match; rejects when it ends before. */
  said(pattern: RegExp): Promise<string>
}

const root = fileURLToPath(new URL('../..', import.meta.url))
export const launcher = join(root, 'cli/bin/aegis.js')
/** Where the tests of the sandbox keep it too. */
const compiled = join(root, 'node_modules/.cache/aegis')
/** Shared by all homes: in each new one the first command would compile all of AEGIS for seconds. */
const compiledCode = join(compiled, 'code')

export const demoAgent = (name: string): string => join(root, `demo-agents/${name}/agent.yaml`)

/** With a home that has the compiled guest in it already: building it again takes a second. */
export async function openNodeCommand(): Promise<AegisCommand> {
  const aegis = await openAegisCommand()
  await mkdir(compiled, { recursive: true })
  await mkdir(aegis.home)
  await symlink(compiled, join(aegis.home, 'build'))
  return aegis
}

/** With a home that does not exist yet. */
export async function openAegisCommand(): Promise<AegisCommand> {
  const base = await mkdtemp(join(tmpdir(), 'aegis-e2e-'))
  const home = join(base, 'home')
  const folder = join(base, 'folder')
  await mkdir(folder)
  const port = await freePort()
  const running = new Set<ChildProcess>()

  const start = (options: RunOptions, args: readonly string[]): Running => {
    const child = spawn(options.node ?? process.execPath, [launcher, ...args], {
      cwd: folder,
      env: {
        ...bareEnvironment(),
        NODE_COMPILE_CACHE: compiledCode,
        AEGIS_HOME: home,
        HOME: base,
        ...options.env,
      },
    })
    running.add(child)
    child.once('exit', () => running.delete(child))
    child.stdin.on('error', () => {}) // It may end without having read.
    child.stdin.end(options.stdin ?? '')
    return watch(child)
  }
  const command: AegisCommand = {
    home,
    folder,
    port,
    run: (...args) => start({}, args).ended,
    runWith: (options, ...args) => start(options, args).ended,
    start: (...args) => start({}, args),
    async write(path, text) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), text)
      return path
    },
    async [Symbol.asyncDispose]() {
      for (const child of running) child.kill('SIGKILL')
      await start({}, ['daemon', 'stop', '--force', '--timeout', '10']).ended
      await rm(base, { recursive: true, force: true })
    },
  }
  return command
}

function watch(child: ChildProcess): Running {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) =>
      resolve({ code: code ?? signal ?? 'unknown', stdout, stderr }),
    )
  })
  return {
    child,
    ended,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const all = stdout + stderr
          if (pattern.test(all)) resolve(all)
        }
        child.stdout?.on('data', look)
        child.stderr?.on('data', look)
        ended.then(() => reject(new Error(`Never said ${pattern}:\n${stdout}\n${stderr}`)), reject)
        look()
      }),
  }
}

/** Nothing of the developer's own settings reaches the command. */
function bareEnvironment(): Record<string, string> {
  const names = ['PATH', 'LANG', 'TMPDIR', 'USER', 'AEGIS_REQUIRE']
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  )
}

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(),
      )
    })
  })
}
