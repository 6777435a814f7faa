import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { makeGuestDisk } from './guest-disk.ts'
import { readErofs } from './testing/read-erofs.ts'

const never = new AbortController().signal

async function scene() {
  const home = await mkdtemp(join(tmpdir(), 'aegis-guest-disk-'))
  onTestFinished(() => rm(home, { recursive: true }))
  const guestPath = join(home, 'guest')
  await writeFile(guestPath, 'the guest')
  const directory = join(home, 'state')
  return {
    directory,
    guestPath,
    make: (signal = never) => makeGuestDisk(directory, guestPath, signal),
  }
}

describe('the disk with the guest', () => {
  it('holds the program, which nobody may change, and the points to mount on, all of root', async () => {
    const { make } = await scene()
    const nodes = readErofs(await readFile(await make()))
    expect([...nodes.keys()].sort()).toEqual(
      ['', '/aegis-guest', '/dev', '/proc', '/run', '/sys'].sort(),
    )
    const guest = nodes.get('/aegis-guest')
    expect(guest).toMatchObject({ kind: 'file', uid: 0, gid: 0 })
    expect((guest?.mode ?? 0) & 0o7777).toBe(0o555)
    expect(guest?.content.toString()).toBe('the guest')
  })

  it('is made once for each program, and stays for machines of the one before', async () => {
    const { make, guestPath, directory } = await scene()
    const first = await make()
    await chmod(first, 0o400)
    expect(await make()).toBe(first)
    await writeFile(guestPath, 'another guest')
    const second = await make()
    expect(second).not.toBe(first)
    expect((await readdir(directory)).length).toBe(2)
  })

  it('is whole for each of many who make it at once', async () => {
    const { make, directory } = await scene()
    const paths = await Promise.all(Array.from({ length: 8 }, () => make()))
    expect(new Set(paths).size).toBe(1)
    expect(
      readErofs(await readFile(paths[0] ?? ''))
        .get('/aegis-guest')
        ?.content.toString(),
    ).toBe('the guest')
    expect(await readdir(directory)).toHaveLength(1)
  })

  it('leaves nothing half-made when it is given up', async () => {
    const { make, directory } = await scene()
    await expect(make(AbortSignal.abort(new Error('given up')))).rejects.toThrow('given up')
    expect(await readdir(directory)).toEqual([])
  })
})
