import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentManifest, ManifestContext } from '@aegis/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inlineContext } from './inline-context.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aegis-context-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const source = `spec:
  context:
    - type: text
      content: hi
    - type: file
      path: missing.txt
`

async function inline(context: readonly ManifestContext[]): Promise<readonly ManifestContext[]> {
  const manifest = { spec: { context } } as unknown as AgentManifest
  const result = await inlineContext(manifest, { source, origin: 'agent.yaml', folder })
  return result.spec.context
}

const file = (path: string): ManifestContext => ({ type: 'file', path })
const directory = (path: string): ManifestContext => ({ type: 'directory', path })

describe('the context of a manifest', () => {
  it('carries the files it names, text as text and the rest as base64', async () => {
    await mkdir(join(folder, 'docs/deep'), { recursive: true })
    await writeFile(join(folder, 'docs/a.md'), 'Grüße\n')
    await writeFile(join(folder, 'docs/deep/b.bin'), Buffer.from([0, 255, 1]))
    expect(await inline([{ type: 'directory', path: './docs', description: 'Notes' }])).toEqual([
      {
        type: 'text',
        path: 'docs/a.md',
        description: 'Notes',
        content: 'Grüße\n',
        encoding: 'utf-8',
      },
      {
        type: 'text',
        path: 'docs/deep/b.bin',
        description: 'Notes',
        content: 'AP8B',
        encoding: 'base64',
      },
    ])
  })

  it('says where in the manifest a missing file is named', async () => {
    const text: ManifestContext = { type: 'text', content: 'hi', encoding: 'utf-8' }
    await expect(inline([text, file('missing.txt')])).rejects.toMatchObject({
      kind: 'invalid',
      message: 'agent.yaml:5: spec.context[1]: missing.txt is not there',
    })
  })

  it('never follows a link out of the folder of the manifest', async () => {
    await symlink('/etc/hostname', join(folder, 'link'))
    await mkdir(join(folder, 'inner'))
    await symlink('..', join(folder, 'inner/up'))
    await symlink('/etc', join(folder, 'inner/etc'))
    for (const entry of [
      file('link'),
      file('../x'),
      file('inner/etc/hostname'),
      directory('inner'),
    ]) {
      await expect(inline([entry])).rejects.toMatchObject({ kind: 'invalid' })
    }
    await expect(inline([file('/etc/hostname')])).rejects.toThrow(/is absolute/)
    await expect(inline([file('link')])).rejects.toThrow(/leads out of the folder/)
  })

  it('follows a link inside the folder', async () => {
    await writeFile(join(folder, 'a.txt'), 'a')
    await symlink('a.txt', join(folder, 'b.txt'))
    expect(await inline([file('b.txt')])).toMatchObject([{ path: 'b.txt', content: 'a' }])
  })

  it('refuses a file where a folder was named, the other way round, and what is neither', async () => {
    await writeFile(join(folder, 'a.txt'), 'a')
    execFileSync('mkfifo', [join(folder, 'pipe')])
    await expect(inline([directory('a.txt')])).rejects.toThrow(/is no folder/)
    await expect(inline([file('.')])).rejects.toThrow(/is a folder/)
    await expect(inline([file('pipe')])).rejects.toThrow(/neither a file nor a folder/)
  })

  it('refuses more than an agent may carry, over all its entries together', async () => {
    await writeFile(join(folder, 'half'), Buffer.alloc(600 * 1024, 'a'))
    expect(await inline([file('half')])).toHaveLength(1)
    await expect(inline([file('half'), file('half')])).rejects.toThrow(/is too large/)
    await mkdir(join(folder, 'many'))
    for (let index = 0; index <= 1000; index += 1)
      await writeFile(join(folder, `many/${index}`), '')
    await expect(inline([directory('many')])).rejects.toThrow(/one file too many/)
  })

  it('refuses an address, and says what to do instead', async () => {
    await expect(inline([{ type: 'url', url: 'https://example.com/x' }])).rejects.toMatchObject({
      kind: 'unsupported',
      details: { help: 'download it, and name the copy with type: file' },
    })
  })
})
