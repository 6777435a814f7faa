import { lstat, mkdir, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The parts of this host's system that every sandbox sees, found once. */
export interface HostTree {
  /** Top-level links of a merged /usr: `/bin` → `usr/bin`. */
  readonly links: readonly { readonly path: string; readonly target: string }[]
  /** Directories and files that appear read-only at the same path. */
  readonly readOnly: readonly string[]
  /** Our own minimal /etc files by name, as paths on the host. */
  readonly etcDirectory: string
  /** Files of /proc that tell about the host and exist here. */
  readonly maskedFiles: readonly string[]
}

/** Names of the synthesised files in /etc. */
export const etcNames = ['group', 'hosts', 'nsswitch.conf', 'passwd', 'resolv.conf'] as const

/** Looks at the host once and writes the synthesised files below `stateDirectory`. */
export async function readHostTree(stateDirectory: string): Promise<HostTree> {
  const etcDirectory = join(stateDirectory, 'etc')
  await mkdir(etcDirectory, { recursive: true, mode: 0o755 })
  await Promise.all(etcNames.map((name) => writeFile(join(etcDirectory, name), etcFiles[name])))
  const system = await Promise.all(systemDirectories.map(describe))
  return {
    links: system.flatMap(({ path, target }) => (target === undefined ? [] : [{ path, target }])),
    readOnly: [
      ...system.filter(({ kind }) => kind === 'directory').map(({ path }) => path),
      ...(await present(sharedEtc)),
    ],
    etcDirectory,
    maskedFiles: await present(tellingFiles),
  }
}

const systemDirectories = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']

/** What of the host's own /etc programs cannot do without: linker cache, links, TLS roots. */
const sharedEtc = [
  '/etc/alternatives',
  '/etc/ld.so.cache',
  '/etc/ssl/certs',
  '/etc/pki/ca-trust/extracted',
  '/etc/pki/tls/certs',
]

// World-readable and of use to nobody but an attacker. The rest of /proc belongs to the sandbox's
// own namespaces or is guarded by the kernel, which takes the sandbox for an unprivileged stranger.
const tellingFiles = [
  '/proc/cmdline',
  '/proc/interrupts',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
]

const etcFiles: Readonly<Record<(typeof etcNames)[number], string>> = {
  passwd:
    'agent:x:1000:1000:agent:/workspace:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  group: 'agent:x:1000:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost sandbox\n::1 localhost ip6-localhost\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  'resolv.conf': 'nameserver 127.0.0.1\noptions timeout:2 attempts:1\n',
}

interface Described {
  readonly path: string
  readonly kind: 'directory' | 'link' | 'absent'
  readonly target?: string
}

async function describe(path: string): Promise<Described> {
  const info = await lstat(path).catch(() => undefined)
  if (info?.isSymbolicLink()) return { path, kind: 'link', target: await readlink(path) }
  return { path, kind: info?.isDirectory() ? 'directory' : 'absent' }
}

async function present(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(paths.map((path) => lstat(path).catch(() => undefined)))
  return paths.filter((_, index) => found[index] !== undefined)
}
