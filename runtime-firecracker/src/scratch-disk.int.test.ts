import { execFile } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeScratchDisk } from './scratch-disk.ts'

const run = promisify(execFile)
const signal = new AbortController().signal
let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-scratch-'))
})
afterEach(() => rm(directory, { recursive: true }))

it.each([
  1, 8, 64, 1024,
])('has two file systems with room for %i MiB each, and no more', async (mebibytes) => {
  const path = join(directory, 'scratch')
  const diskBytes = mebibytes << 20
  await makeScratchDisk(path, diskBytes, signal)
  const { blocks, size } = await stat(path)
  // It takes next to nothing until it is used.
  expect(blocks * 512).toBeLessThan(2 << 20)
  const part = (size - (1 << 20)) / 2
  for (const offset of [1 << 20, (1 << 20) + part]) {
    const { stdout } = await run('e2fsck', ['-fn', `${path}?offset=${offset}`])
    const [, used, all] = /(\d+)\/(\d+) blocks/.exec(stdout) ?? []
    const freeBytes = (Number(all) - Number(used)) * 4096
    expect(freeBytes).toBeGreaterThanOrEqual(diskBytes)
    expect(freeBytes).toBeLessThan(diskBytes * 1.001 + (64 << 10))
  }
})

it('is not made over what is there already', async () => {
  const path = join(directory, 'scratch')
  await makeScratchDisk(path, 16 << 20, signal)
  await expect(makeScratchDisk(path, 16 << 20, signal)).rejects.toMatchObject({
    code: 'machine.disk',
  })
})
