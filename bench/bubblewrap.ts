import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface BubblewrapOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
  /** Keeps the network of the host, where the program has somebody to talk to. */
  readonly network?: boolean
}

/** Runs a command in namespaces of its own, from the start of bubblewrap to its end. */
export async function underBubblewrap(
  argv: readonly [string, ...string[]],
  { env = {}, stdin = '', network = false }: BubblewrapOptions = {},
): Promise<void> {
  const isolation = ['--unshare-all', '--cap-drop', 'ALL', '--new-session', '--die-with-parent']
  // Not over /tmp, where this repository may lie.
  const system = ['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/mnt']
  const shared = network ? ['--share-net'] : []
  const [program, ...rest] = argv
  // Inside a sandbox, the Node that runs AEGIS is simply `node`.
  const command = [program === 'node' ? process.execPath : program, ...rest]
  const child = spawn('bwrap', [...isolation, ...shared, ...system, '--', ...command], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const ended = once(child, 'exit')
  child.stdin.on('error', () => {}) // It may end without having read.
  child.stdin.end(stdin)
  await once(child.stdout, 'data')
  const [code] = await ended
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit code ${code}`)
}
