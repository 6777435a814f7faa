import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'

/** A process as the host sees it. */
export interface HostProcess {
  readonly pid: number
  readonly name: string
  readonly commandLine: string
  /** Its pid in the innermost namespace it is in: 1 is the guest. */
  readonly innerPid: number
}

/** What tells the processes of one home's sandboxes from all others. */
export interface HomeMark {
  /** AEGIS_HOME/runtime-process, canonical. */
  readonly stateDirectory: string
  /** Lent to nobody else on this host. */
  readonly uidRange: { readonly first: number; readonly count: number }
}

/** The name of the cgroup above the sandboxes of a home. */
export const homeTag = (stateDirectory: string): string =>
  createHash('sha256').update(stateDirectory).digest('hex').slice(0, 12)

/**
 * The sandbox processes of a home: by their cgroup, which they cannot leave, by their uid, and by
 * the command line of what has not joined its cgroup yet.
 */
export async function sandboxProcesses(mark: HomeMark): Promise<readonly HostProcess[]> {
  const tag = homeTag(mark.stateDirectory)
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const seen = await Promise.all(pids.map((pid) => look(Number(pid), tag, mark)))
  return seen.filter((process) => process !== undefined)
}

async function look(pid: number, tag: string, mark: HomeMark): Promise<HostProcess | undefined> {
  const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')
  const [status, groups, arguments_] = await Promise.all(['status', 'cgroup', 'cmdline'].map(read))
  if (status === undefined || /^State:\s+Z/m.test(status)) return undefined
  const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])
  const { first, count } = mark.uidRange
  const commandLine = (arguments_ ?? '').replaceAll('\0', ' ').trim()
  const isOurs =
    groups?.includes(`/${tag}/`) ||
    commandLine.includes(`/${tag}/`) ||
    commandLine.includes(mark.stateDirectory) ||
    (uid >= first && uid < first + count)
  if (!isOurs) return undefined
  const name = /^Name:\s+(.*)$/m.exec(status)?.[1] ?? ''
  const innerPid = Number(/^NSpid:.*\s(\d+)$/m.exec(status)?.[1])
  return { pid, name, commandLine, innerPid }
}
