import { mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { packScratch, unpackScratch } from './scratch-archive.ts'

const never = new AbortController().signal

async function ownDirectory() {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-scratch-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

it('brings back a disk as it was, and keeps little of one that is nearly empty', async () => {
  const directory = await ownDirectory()
  const path = join(directory, 'scratch')
  const whole = 1 << 30
  {
    await using disk = await open(path, 'wx')
    await disk.truncate(whole)
    await disk.write('first', 0)
    await disk.write('last', whole - 4)
  }
  await packScratch(path, join(directory, 'scratch.tar'), never)
  expect((await stat(join(directory, 'scratch.tar'))).size).toBeLessThan(1 << 20)
  await mkdir(join(directory, 'new'))
  await unpackScratch(join(directory, 'scratch.tar'), join(directory, 'new', 'scratch'), never)
  const again = await stat(join(directory, 'new', 'scratch'))
  expect(again.size).toBe(whole)
  expect(again.blocks * 512).toBeLessThan(1 << 20)
  await using disk = await open(join(directory, 'new', 'scratch'))
  const { buffer } = await disk.read(Buffer.alloc(4), 0, 4, whole - 4)
  expect(buffer.toString()).toBe('last')
})

it('says what went wrong', async () => {
  const directory = await ownDirectory()
  await writeFile(join(directory, 'bad.tar'), 'not an archive')
  const unpacked = unpackScratch(join(directory, 'bad.tar'), join(directory, 'scratch'), never)
  await expect(unpacked).rejects.toMatchObject({ code: 'snapshot.failed' })
  expect(await readFile(join(directory, 'bad.tar'), 'utf8')).toBe('not an archive')
})
