import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { type HomeMark, homeTag } from './host-processes.ts'

/**
 * Looks out for the next sandbox of a home. The function it gives waits for a process of it and
 * gives its pid, or undefined when the boot was past that before anybody looked. It blocks this
 * thread meanwhile: a boot is over within a few turns of an event loop.
 */
export function watchForBoot(
  mark: HomeMark,
): (isWanted: (name: string) => boolean) => number | undefined {
  const directory = groupDirectory(mark)
  const known = new Set(readdirSync(directory))
  return (isWanted) => {
    const deadline = performance.now() + 10_000
    while (performance.now() < deadline) {
      for (const group of readdirSync(directory).filter((name) => !known.has(name))) {
        const members = membersOf(`${directory}/${group}`).map((pid) => ({
          pid,
          name: nameOf(pid),
        }))
        const wanted = members.find(({ name }) => isWanted(name))
        if (wanted !== undefined) return wanted.pid
        if (members.some(({ name }) => name === 'guest')) return undefined
      }
    }
    throw new Error(`No sandbox was booted below ${directory}`)
  }
}

/** Where the sandboxes of this home have their groups; made when the daemon starts. */
function groupDirectory({ stateDirectory }: HomeMark): string {
  const search = ['/sys/fs/cgroup', '-type', 'd', '-name', homeTag(stateDirectory)]
  const found = execFileSync('find', search, { encoding: 'utf8' }).split('\n')[0]
  if (found === undefined || found === '') throw new Error('This home has no cgroup')
  return found
}

function membersOf(group: string): readonly number[] {
  try {
    const text = readFileSync(`${group}/cgroup.procs`, 'utf8')
    return text.split('\n').filter(Boolean).map(Number)
  } catch {
    return [] // It was removed meanwhile.
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return ''
  }
}
