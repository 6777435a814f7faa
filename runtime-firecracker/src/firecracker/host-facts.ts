import { readdir, readFile } from 'node:fs/promises'
import { release } from 'node:os'

/** What of a host decides whether machines of strangers are safe on it. */
export interface HostFacts {
  /** `6.1.0-28-cloud-amd64` */
  readonly kernel: string
  /** Of the hierarchies with controllers; undefined when there are none. */
  readonly cgroupVersion: 1 | 2 | undefined
  /** Whether two threads share one core. */
  readonly smt: boolean
  /** Whether the kernel merges equal pages of different processes. */
  readonly ksm: boolean
  readonly swap: boolean
  /** Weaknesses of the processor that the kernel does nothing about. */
  readonly vulnerable: readonly string[]
  /** Who in /etc/passwd has a uid of the range for machines. */
  readonly namedUsers: readonly string[]
}

export async function readHostFacts(uids: {
  readonly first: number
  readonly count: number
}): Promise<HostFacts> {
  const [mounts, smt, ksm, swaps, passwd] = await Promise.all([
    read('/proc/mounts'),
    read('/sys/devices/system/cpu/smt/active'),
    read('/sys/kernel/mm/ksm/run'),
    read('/proc/swaps'),
    read('/etc/passwd'),
  ])
  return {
    kernel: release(),
    cgroupVersion: cgroupVersion(mounts),
    smt: smt.trim() === '1',
    ksm: ksm.trim() === '1',
    swap: swaps.trim().split('\n').length > 1,
    vulnerable: await readVulnerable(),
    namedUsers: usersWithin(passwd, uids),
  }
}

export function cgroupVersion(mounts: string): 1 | 2 | undefined {
  const types = mounts.split('\n').map((line) => line.split(' '))
  if (types.some(([, , type, options]) => type === 'cgroup' && /\bmemory\b/.test(options ?? '')))
    return 1
  return types.some(([, , type]) => type === 'cgroup2') ? 2 : undefined
}

export function usersWithin(
  passwd: string,
  { first, count }: { readonly first: number; readonly count: number },
): readonly string[] {
  return passwd.split('\n').flatMap((line) => {
    const [name, , uid] = line.split(':')
    const within = uid !== undefined && Number(uid) >= first && Number(uid) < first + count
    return name !== undefined && within ? [name] : []
  })
}

const vulnerabilities = '/sys/devices/system/cpu/vulnerabilities'

async function readVulnerable(): Promise<readonly string[]> {
  const names = await readdir(vulnerabilities).catch(() => [])
  const states = await Promise.all(names.map((name) => read(`${vulnerabilities}/${name}`)))
  return names.filter((_, index) => states[index]?.startsWith('Vulnerable'))
}

const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
