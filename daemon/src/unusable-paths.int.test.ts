import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultNodeConfig } from '@aegis/core'
import { expect, it } from 'vitest'
import { prepareHome } from './home.ts'
import { openLogger } from './open-logger.ts'

it('names a home that cannot be made, and how to choose another', async () => {
  await using file = await openFile()
  await expect(prepareHome(join(file.path, 'home'))).rejects.toMatchObject({
    kind: 'invalid',
    code: 'home.unusable',
    message: expect.stringContaining('--home'),
  })
})

it('ends where a file system refuses all new folders', async () => {
  await expect(prepareHome('/proc/nope')).rejects.toMatchObject({ code: 'home.unusable' })
})

it('names a log file that cannot be written, and the key that names it', async () => {
  await using file = await openFile()
  const standard = defaultNodeConfig({ hostName: 'one', nodeId: 'one' })
  const { observability } = standard.spec
  const logging = { ...observability.logging, file: join(file.path, 'aegis.log') }
  const spec = { ...standard.spec, observability: { ...observability, logging } }
  expect(() => openLogger({ config: { ...standard, spec }, env: {} })).toThrow(
    expect.objectContaining({
      code: 'config.log-file',
      message: expect.stringContaining('observability.logging.file'),
    }),
  )
})

/** A file, below which nothing can be made, not even by root. */
async function openFile() {
  const folder = await mkdtemp(join(tmpdir(), 'aegis-paths-'))
  const path = join(folder, 'file')
  await writeFile(path, '')
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}
