import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { writeCpio } from './write-cpio.ts'

const run = promisify(execFile)
const entries = [
  { path: 'modules', mode: 0o755 },
  { path: 'modules/00-a.ko', mode: 0o444, content: Buffer.from('odd') },
  { path: 'init', mode: 0o555, content: Buffer.alloc(0) },
]

it('writes what others read, each record at a multiple of four', async () => {
  const archive = writeCpio(entries)
  expect(archive.length % 4).toBe(0)
  for (let at = archive.indexOf('070701'); at >= 0; at = archive.indexOf('070701', at + 1))
    expect(at % 4).toBe(0)
  const directory = await mkdtemp(join(tmpdir(), 'aegis-cpio-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  await writeFile(join(directory, 'archive'), archive)
  // Python is where tests are, cpio is not; its reader is a dozen lines of the format's description.
  const { stdout } = await run('python3', ['-c', reader, join(directory, 'archive')])
  expect(JSON.parse(stdout)).toEqual([
    ['modules', 0o40755, 0, ''],
    ['modules/00-a.ko', 0o100444, 3, 'odd'],
    ['init', 0o100555, 0, ''],
    ['TRAILER!!!', 0, 0, ''],
  ])
  expect((await readFile(join(directory, 'archive'))).equals(writeCpio(entries))).toBe(true)
})

const reader = `
import json, sys
data, at, found = open(sys.argv[1], 'rb').read(), 0, []
while at < len(data):
    assert data[at:at + 6] == b'070701', at
    field = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
    name = data[at + 110:at + 110 + field[11] - 1].decode()
    body = (at + 110 + field[11] + 3) // 4 * 4
    found.append([name, field[1], field[6], data[body:body + field[6]].decode()])
    at = (body + field[6] + 3) // 4 * 4
print(json.dumps(found))
`
