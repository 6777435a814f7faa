import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { testKernel } from '../testing/test-kernel.ts'
import { inspectKernel } from './inspect-kernel.ts'
import { pinnedKrunfw } from './pinned-kernel.ts'

it('is what a mirror of Debian hands out, with all that a machine needs', async () => {
  const { path, digest } = await testKernel()
  expect(digest).toBe(pinnedKrunfw.digest)
  expect(inspectKernel(await readFile(path))).toEqual({
    linux: '6.12.91',
    pvh: true,
    commandLineDevices: true,
  })
}, 90_000)
