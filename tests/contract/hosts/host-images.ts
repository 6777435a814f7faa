import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Engine } from '../../engine/test-engine.ts'
import type { HostImages, ImageFile } from './sandbox-host.ts'

const execute = promisify(execFile)

/** The images of an engine; those that were made on top of others go when disposed. */
export function openHostImages(engine: Engine): HostImages & AsyncDisposable {
  const made: string[] = []
  return {
    get: (name) => engine.image(name),
    async make(changes, files = []) {
      const reference = `aegis-test:${randomUUID()}`
      const body = { Image: await engine.image('node'), Cmd: ['true'] }
      const { Id: id } = JSON.parse(await engine.call('POST', '/containers/create', { body }))
      try {
        if (files.length > 0) await upload(engine, id, files)
        const [repo, tag] = reference.split(':')
        const query = { container: id, repo: repo ?? '', tag: tag ?? '', changes }
        await engine.call('POST', '/commit', { query })
        made.push(reference)
      } finally {
        await engine.call('DELETE', `/containers/${id}`, { query: { v: 'true' } })
      }
      return reference
    },
    async [Symbol.asyncDispose]() {
      for (const reference of made.splice(0)) await engine.call('DELETE', `/images/${reference}`)
    },
  }
}

async function upload(engine: Engine, id: string, files: readonly ImageFile[]): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-image-'))
  try {
    const root = join(directory, 'root')
    for (const { path, content, mode } of files) {
      const target = join(root, path)
      await mkdir(dirname(target), { recursive: true })
      if ('major' in content)
        await execute('mknod', [target, 'b', `${content.major}`, `${content.minor}`])
      else await writeFile(target, content)
      await execute('chmod', [mode.toString(8), target])
    }
    const tar = join(directory, 'files.tar')
    await execute('tar', [
      ...['--create', '--file', tar, '--directory', root],
      ...['--owner=0', '--group=0', '.'],
    ])
    const query = { path: '/' }
    await engine.call('PUT', `/containers/${id}/archive`, { query, body: createReadStream(tar) })
  } finally {
    await rm(directory, { recursive: true })
  }
}
