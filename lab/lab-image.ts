import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { convertArchive } from '../runtime-firecracker/src/images/convert-archive.ts'

/** A layer as an image in an archive of `docker save`, and its disk as the product makes it. */
export async function makeLabImage(
  layerPath: string,
  directory: string,
  signal: AbortSignal,
): Promise<string> {
  const archive = join(directory, 'archive')
  await mkdir(archive, { recursive: true })
  await rename(layerPath, join(archive, 'layer.tar'))
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(join(archive, 'layer.tar'))) hash.update(chunk)
  const config = JSON.stringify({
    ...{ architecture: 'amd64', os: 'linux', config: { Env: ['PATH=/usr/bin:/bin'] } },
    rootfs: { type: 'layers', diff_ids: [`sha256:${hash.digest('hex')}`] },
  })
  const id = createHash('sha256').update(config).digest('hex')
  const manifest = [{ Config: `${id}.json`, RepoTags: ['lab:1'], Layers: ['layer.tar'] }]
  await writeFile(join(archive, `${id}.json`), config)
  await writeFile(join(archive, 'manifest.json'), JSON.stringify(manifest))
  const saved = join(directory, 'saved.tar')
  await promisify(execFile)('tar', ['-cf', saved, '-C', archive, '.'], { signal })
  const disk = join(directory, 'disk')
  await mkdir(disk)
  const { path } = await convertArchive(
    { archive: createReadStream(saved), directory: disk, architecture: 'amd64' },
    signal,
  )
  // As the product's cache leaves it: monitors read it as users of their own.
  await chmod(path, 0o444)
  return path
}
