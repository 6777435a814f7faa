import { cp, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { formatBundle, makeMerkleHash, type NoteKey, readBundle } from '@aegis/core/audit'
import { auditCrypto } from '@aegis/security'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeSeededRandom } from '../chaos/seeded-random.ts'
import { type AuditHome, checkExport, makeAuditHome, names } from './audit-home.ts'

/** Three bundles, the last one partial, and a tile above them. */
const size = 700
const merkle = makeMerkleHash(auditCrypto.sha256)

let home: AuditHome
let whole = ''
let key: NoteKey
beforeAll(async () => {
  home = await makeAuditHome()
  whole = await mkdtemp(join(tmpdir(), 'aegis-export-'))
  await home.append(size, 0)
  await home.export(whole)
  key = await home.key()
})
afterAll(async () => {
  await home[Symbol.asyncDispose]()
  await rm(whole, { recursive: true })
})

/** An export that a test may spoil. */
async function given(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'aegis-export-'))
  await cp(whole, path, { recursive: true })
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

const bundleOf = (index: number): string =>
  `tile/entries/00${index >> 8}${index >> 8 === 2 ? '.p/188' : ''}`
const hashesOf = (index: number): string =>
  `tile/0/00${index >> 8}${index >> 8 === 2 ? '.p/188' : ''}`

async function editBundle(
  path: string,
  index: number,
  edit: (bodies: Uint8Array[], place: number) => readonly Uint8Array[],
): Promise<void> {
  const file = join(path, bundleOf(index))
  const { bodies } = readBundle(await readFile(file))
  await writeFile(file, formatBundle(edit([...bodies], index % 256)))
}

it('an export is sound as it was made', async () => {
  const report = await checkExport(whole, key)
  expect(report).toMatchObject({ isSound: true, size, checked: size, dropped: 0, findings: [] })
})

it('any byte that is flipped is found, with the entry it belongs to', async () => {
  const random = makeSeededRandom()
  const files = (await readdir(whole, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name !== 'audit.pub')
    .map((entry) => relative(whole, join(entry.parentPath, entry.name)))
  expect(files.sort()).toEqual([
    'checkpoint',
    'tile/0/000',
    'tile/0/001',
    'tile/0/002.p/188',
    'tile/1/000.p/2',
    'tile/entries/000',
    'tile/entries/001',
    'tile/entries/002.p/188',
  ])
  await using copy = await given()
  for (let round = 0; round < 300; round += 1) {
    const file = files[random.below(files.length)] ?? ''
    const before = await readFile(join(whole, file))
    const place = random.below(before.length)
    const after = Buffer.from(before)
    after.writeUInt8(after.readUInt8(place) ^ (1 << random.below(8)), place)
    await writeFile(join(copy.path, file), after)
    const report = await checkExport(copy.path, key)
    const told = JSON.stringify(report.findings.slice(0, 3))
    expect([file, place, told, report.isSound]).toEqual([file, place, told, false])
    const entry = entryOf(file, before, place)
    if (entry !== undefined) {
      expect([file, place, entry, told, names(report, entry)]).toEqual([
        file,
        place,
        entry,
        told,
        true,
      ])
      expect(report.findings[0]?.index).toBeLessThanOrEqual(entry)
    }
    await writeFile(join(copy.path, file), before)
  }
  expect(await checkExport(copy.path, key)).toMatchObject({ isSound: true })
})

/** Which entry a byte of an export is of. */
function entryOf(file: string, content: Uint8Array, place: number): number | undefined {
  const [, kind = '', bundle = ''] = /^tile\/(\w+)\/(\d{3})/.exec(file) ?? []
  const first = 256 * Number(bundle)
  if (kind === '0') return first + Math.floor(place / 32)
  if (kind === '1') return 256 * Math.floor(place / 32)
  if (kind !== 'entries') return undefined
  let start = 0
  for (const [offset, body] of readBundle(content).bodies.entries()) {
    start += 2 + body.length
    if (place < start) return first + offset
  }
  return undefined
}

describe('an entry of an export that is', () => {
  const indexes = [0, 1, 255, 256, 300, 512, 698, 699]

  it.each(indexes)('dropped is found: %i', async (index) => {
    await using copy = await given()
    await editBundle(copy.path, index, (bodies, place) => bodies.toSpliced(place, 1))
    const report = await checkExport(copy.path, key)
    expect(report.isSound).toBe(false)
    expect(report.findings[0]).toMatchObject({ index })
  })

  it.each(indexes)('duplicated is found: %i', async (index) => {
    await using copy = await given()
    await editBundle(copy.path, index, (bodies, place) =>
      bodies.toSpliced(place, 0, bodies[place] ?? new Uint8Array()),
    )
    const report = await checkExport(copy.path, key)
    expect(report.isSound).toBe(false)
    // The first that is not what it should be stands behind the two that are equal.
    expect(report.findings[0]?.index).toBe(index + 1)
  })

  it.each(indexes.slice(0, -1))('exchanged with its neighbour is found: %i', async (index) => {
    if (index === 255) return
    await using copy = await given()
    await editBundle(copy.path, index, (bodies, place) => [
      ...bodies.slice(0, place),
      bodies[place + 1] ?? new Uint8Array(),
      bodies[place] ?? new Uint8Array(),
      ...bodies.slice(place + 2),
    ])
    const { findings } = await checkExport(copy.path, key)
    expect(findings).toEqual([expect.objectContaining({ index, through: index + 1 })])
  })

  it.each(indexes)('put in a second time elsewhere is found: %i', async (index) => {
    await using copy = await given()
    await editBundle(copy.path, index, (bodies, place) =>
      bodies.with(place, bodies[(place + 5) % bodies.length] ?? new Uint8Array()),
    )
    const { findings } = await checkExport(copy.path, key)
    expect(findings).toEqual([expect.objectContaining({ code: 'changed', index })])
  })

  it.each(indexes)('changed together with its hash is found: %i', async (index) => {
    await using copy = await given()
    const forged = Buffer.from('{"at":"","data":{},"type":"forged"}')
    await editBundle(copy.path, index, (bodies, place) => bodies.with(place, forged))
    const file = join(copy.path, hashesOf(index))
    const hashes = await readFile(file)
    hashes.set(merkle.leaf(forged), 32 * (index % 256))
    await writeFile(file, hashes)
    const report = await checkExport(copy.path, key)
    expect(report.isSound).toBe(false)
    expect(names(report, index)).toBe(true)
  })
})

it('a file of an export that is cut short or lost is found, with the first entry it lacks', async () => {
  const random = makeSeededRandom()
  for (const kind of ['entries', '0']) {
    for (const bundle of [0, 1, 2]) {
      await using copy = await given()
      const file = join(copy.path, kind === '0' ? hashesOf(256 * bundle) : bundleOf(256 * bundle))
      const { size: length } = await stat(file)
      const cut = random.below(length)
      const first = entryOf(relative(copy.path, file), await readFile(file), cut) ?? -1
      await truncate(file, cut)
      const report = await checkExport(copy.path, key)
      expect(report.isSound).toBe(false)
      expect(report.findings[0]?.index).toBe(first)
      await rm(file)
      const lost = await checkExport(copy.path, key)
      expect(lost.isSound).toBe(false)
      expect(names(lost, 256 * bundle)).toBe(true)
    }
  }
})

it('bodies may be missing at the beginning only where the log says that they were dropped', async () => {
  await using copy = await given()
  await rm(join(copy.path, bundleOf(0)))
  const report = await checkExport(copy.path, key)
  expect(report.findings).toEqual([
    expect.objectContaining({ code: 'missing', index: 0, through: 255 }),
  ])
  expect(await checkExport(copy.path, key, { from: 256 })).toMatchObject({
    isSound: true,
    dropped: 256,
  })
})

it('a whole log that is older than a checkpoint somebody kept is found', async () => {
  await using later = await given()
  const witness = await readFile(join(later.path, 'checkpoint'), 'utf8')
  await using young = await makeAuditHome()
  await cp(home.keys, young.keys, { recursive: true })
  await rm(join(young.keys, 'audit.checkpoint'))
  await young.append(400, 0)
  const directory = await mkdtemp(join(tmpdir(), 'aegis-export-'))
  await young.export(directory)
  // In itself it is sound, and signed by the very key: no log can show by itself what it lacks.
  expect(await checkExport(directory, key)).toMatchObject({ isSound: true, size: 400 })
  const report = await checkExport(directory, key, { witnesses: [witness] })
  expect(report.findings).toEqual([
    expect.objectContaining({ code: 'truncated', index: 400, through: 699 }),
  ])
  await rm(directory, { recursive: true })
})

it('a log that was made anew with another beginning is found by a checkpoint somebody kept', async () => {
  await using forger = await makeAuditHome()
  await cp(home.keys, forger.keys, { recursive: true })
  await rm(join(forger.keys, 'audit.checkpoint'))
  await forger.append(900, 1)
  const directory = await mkdtemp(join(tmpdir(), 'aegis-export-'))
  await forger.export(directory)
  const witness = await readFile(join(whole, 'checkpoint'), 'utf8')
  const report = await checkExport(directory, key, { witnesses: [witness] })
  expect(report.findings).toEqual([
    expect.objectContaining({ code: 'root', index: 0, through: 699 }),
  ])
  await rm(directory, { recursive: true })
})

it('a checkpoint of another key is no checkpoint', async () => {
  await using other = await makeAuditHome()
  await other.append(1, 0)
  const report = await checkExport(whole, await other.key())
  expect(report).toMatchObject({ isSound: false, findings: [{ code: 'unsigned' }] })
})
