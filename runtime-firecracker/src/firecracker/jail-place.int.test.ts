import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { diagnoseJails, mountOptionsOf, readJailPlace } from './jail-place.ts'

const run = promisify(execFile)
const root = process.getuid?.() === 0

async function aHome() {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'aegis-place-')))
  onTestFinished(() => rm(home, { recursive: true }))
  const [disks, images, jails] = ['disks', 'images', 'jails'].map((name) => join(home, name))
  const places = { disks: disks ?? '', images: images ?? '', jails: jails ?? '' }
  for (const place of Object.values(places)) await mkdir(place)
  return places
}

async function mounted(directory: string, ...options: readonly string[]) {
  await run('mount', ['-t', 'tmpfs', '-o', ['size=1m', ...options].join(','), 'tmpfs', directory])
  onTestFinished(async () => void (await run('umount', [directory])))
}

async function diagnose({ disks, images, jails }: Awaited<ReturnType<typeof aHome>>) {
  return diagnoseJails(await readJailPlace(jails, [disks, images]), disks)
}

describe.skipIf(!root)('the place of jails', () => {
  it('is right where files of the home can be linked, and leaves no trace of having tried', async () => {
    const home = await aHome()
    expect(await diagnose(home)).toMatchObject({ name: 'jails', state: 'ok' })
    for (const place of Object.values(home)) expect(await readdir(place)).toEqual([])
  })

  it('is of no use on another file system than the disks, and dear on another than the images', async () => {
    const home = await aHome()
    await mounted(home.images)
    expect(await diagnose(home)).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining(`than ${home.images}: images are copied`),
    })
    await mounted(home.jails)
    expect(await diagnose(home)).toMatchObject({
      state: 'missing',
      detail: expect.stringContaining('no disk can be lent'),
      remedy: expect.stringContaining('chroot_base'),
    })
  })

  it('is of no use through another mount of the same file system either', async () => {
    const home = await aHome()
    await run('mount', ['--bind', home.images, home.jails])
    onTestFinished(async () => void (await run('umount', [home.jails])))
    expect(await diagnose(home)).toMatchObject({ state: 'missing' })
  })

  it.each(['nodev', 'noexec'])('is of no use where it is mounted %s', async (option) => {
    const home = await aHome()
    await mounted(home.jails, option)
    expect(await diagnose(home)).toMatchObject({
      state: 'missing',
      detail: expect.stringContaining(`is mounted ${option}: no jail`),
      remedy: expect.stringContaining('remount,dev,exec'),
    })
  })
})

describe('the mount of a path', () => {
  const mounts = [
    '22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw',
    '30 22 8:2 / /srv rw,nodev - ext4 /dev/sda2 rw',
    '31 30 8:3 / /srv/my\\040jails rw,noexec - ext4 /dev/sda3 rw',
    '32 30 8:4 / /srv/my\\040jails rw,nosuid - ext4 /dev/sda4 rw',
  ].join('\n')

  it.each([
    ['/home', 'rw,relatime'],
    ['/srv/x', 'rw,nodev'],
    ['/srvx', 'rw,relatime'],
    ['/srv/my jails/a', 'rw,nosuid'],
  ])('of %s is the deepest one, and the last of its point', (path, options) => {
    expect(mountOptionsOf(path, mounts).join()).toBe(options)
  })

  it('has no options where none is known', () => {
    expect(mountOptionsOf('/', '')).toEqual([''])
  })
})
