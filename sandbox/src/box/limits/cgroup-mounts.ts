/** Where this host keeps its cgroup hierarchies. */
export interface CgroupMounts {
  /** Mount point of the version 2 hierarchy. */
  readonly unified: string | undefined
  /** Mount point of each version 1 controller: `memory` → `/sys/fs/cgroup/memory`. */
  readonly controllers: ReadonlyMap<string, string>
}

/** Reads /proc/self/mountinfo (proc_pid_mountinfo(5)). The first mount of a hierarchy counts. */
export function parseCgroupMounts(mountinfo: string): CgroupMounts {
  let unified: string | undefined
  const controllers = new Map<string, string>()
  for (const line of mountinfo.split('\n')) {
    const [mount, filesystem] = line.split(' - ')
    const point = mount?.split(' ')[4]
    const [type, , options] = filesystem?.split(' ') ?? []
    if (point === undefined) continue
    const path = unescapeOctal(point)
    if (type === 'cgroup2') unified ??= path
    if (type !== 'cgroup') continue
    for (const option of options?.split(',') ?? [])
      if (v1Controllers.has(option) && !controllers.has(option)) controllers.set(option, path)
  }
  return { unified, controllers }
}

/** Path of the own group in the version 2 hierarchy, from /proc/self/cgroup: `/user.slice/…`. */
export function parseOwnGroup(procCgroup: string): string | undefined {
  return /^0::(\/.*)$/m.exec(procCgroup)?.[1]
}

const v1Controllers = new Set(['memory', 'cpu', 'cpuacct', 'pids'])

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}
