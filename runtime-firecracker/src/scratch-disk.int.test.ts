import { execFile } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { fileSystemBytes, makeScratchDisk } from './scratch-disk.ts'

const run = promisify(execFile)
const signal = new AbortController().signal
let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-scratch-'))
})
afterEach(() => rm(directory, { recursive: true }))

it('has two file systems of the size that was asked for, and takes next to nothing until it is used', async () => {
  const path = join(directory, 'scratch')
  await makeScratchDisk(path, 64 << 20, signal)
  const { blocks, size } = await stat(path)
  expect(size).toBe((1 << 20) + 2 * fileSystemBytes(64 << 20))
  expect(blocks * 512).toBeLessThan(1 << 20)
  for (const offset of [1 << 20, (1 << 20) + fileSystemBytes(64 << 20)]) {
    const { stdout } = await run('e2fsck', ['-fn', `${path}?offset=${offset}`])
    expect(stdout).toMatch(/11\/\d+ files/)
  }
})

it('is not made over what is there already', async () => {
  const path = join(directory, 'scratch')
  await makeScratchDisk(path, 16 << 20, signal)
  await expect(makeScratchDisk(path, 16 << 20, signal)).rejects.toMatchObject({
    code: 'machine.disk',
  })
})
