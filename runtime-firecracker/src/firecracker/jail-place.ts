import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostFinding } from '@aegis/core'

/** What of the place where jails are made decides whether a machine can start in one. */
export interface JailPlace {
  readonly base: string
  /** How it is mounted: `nodev`, `noexec` … */
  readonly mountOptions: readonly string[]
  /** From which of these directories files can be lent and shown there; undefined: not known. */
  readonly links: readonly { readonly from: string; readonly works: boolean | undefined }[]
}

/** Links an empty file from each directory, since even two mounts of one file system refuse that. */
export async function readJailPlace(
  base: string,
  directories: readonly string[],
): Promise<JailPlace> {
  const [path, mounts] = await Promise.all([
    realpath(base),
    readFile('/proc/self/mountinfo', 'utf8').catch(() => ''),
  ])
  const links = directories.map(async (from) => ({ from, works: await canLink(from, path) }))
  return { base, mountOptions: mountOptionsOf(path, mounts), links: await Promise.all(links) }
}

/** `mounts` is /proc/self/mountinfo. Of two mounts on one point, the later one is seen. */
export function mountOptionsOf(path: string, mounts: string): readonly string[] {
  const found = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , , , point]) => isWithin(path, unescaped(point ?? '')))
  const longest = Math.max(...found.map(([, , , , point = '']) => point.length))
  const [, , , , , options = ''] =
    found.findLast(([, , , , point]) => point?.length === longest) ?? []
  return options.split(',')
}

/** `disks` is where scratch disks lie: without these there is no machine, all else can be copied. */
export function diagnoseJails(
  { base, mountOptions, links }: JailPlace,
  disks: string,
): HostFinding {
  const name = 'jails'
  const stops = mountOptions.filter((option) => option === 'nodev' || option === 'noexec')
  if (stops.length > 0)
    return {
      name,
      state: 'missing',
      detail: `${base} is mounted ${stops.join(' and ')}: no jail has its devices and its program there`,
      remedy: `mount -o remount,dev,exec the file system of ${base}, or name another place (spec.runtime.firecracker.chroot_base)`,
    }
  const far = links.filter(({ works }) => works === false).map(({ from }) => from)
  if (far.length === 0)
    return { name, state: 'ok', detail: `${base}, which shares files with disks` }
  const lends = !far.includes(disks)
  return {
    name,
    state: lends ? 'warning' : 'missing',
    detail: `${base} is on another file system than ${far.join(' and ')}: ${lends ? 'images are copied for each machine' : 'no disk can be lent to a machine there'}`,
    remedy:
      'Let spec.runtime.firecracker.chroot_base be on the file system of AEGIS_HOME, or leave it out',
  }
}

async function canLink(from: string, to: string): Promise<boolean | undefined> {
  const name = `.link-${randomUUID()}`
  try {
    // As whoever comes to use it would make it.
    await mkdir(from, { recursive: true, mode: 0o700 })
    await writeFile(join(from, name), '', { flag: 'wx', mode: 0o600 })
    await link(join(from, name), join(to, name))
    return true
  } catch (error) {
    const isElsewhere = error instanceof Error && 'code' in error && error.code === 'EXDEV'
    return isElsewhere ? false : undefined
  } finally {
    for (const directory of [from, to])
      await rm(join(directory, name), { force: true }).catch(() => {})
  }
}

const isWithin = (path: string, point: string): boolean =>
  point === '/' || path === point || path.startsWith(`${point}/`)

/** The kernel writes blanks and the like as `\040`. */
const unescaped = (point: string): string =>
  point.replaceAll(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)))
