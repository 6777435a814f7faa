import { readFile, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { makeMerkleHash } from '@aegis/core/audit'
import { auditCrypto } from '@aegis/security'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeSeededRandom } from '../chaos/seeded-random.ts'
import { type AuditHome, anEntry, makeAuditHome, names } from './audit-home.ts'

/** Three bundles, the last one partial, signed at some sizes on the way. */
const size = 700
const merkle = makeMerkleHash(auditCrypto.sha256)

let whole: AuditHome
beforeAll(async () => {
  whole = await makeAuditHome()
  await whole.append(300, 0)
  await whole.append(290, 300)
  await whole.append(110, 590)
})
afterAll(() => whole[Symbol.asyncDispose]())

const indexes = [0, 1, 255, 256, 300, 512, 698, 699]
const refuses = { code: expect.stringMatching(/^audit\.(forked|damaged)$/) }

it('a store is sound as it was written', async () => {
  await using home = await whole.copy()
  expect(await home.verify()).toMatchObject({ isSound: true, size, checked: size, unsigned: 0 })
})

describe('an entry of the store', () => {
  it.each(indexes)('whose body is changed is found: %i', async (index) => {
    await using home = await whole.copy()
    home.edit(`update audit_entries
      set body = cast(replace(cast(body as text), '443', '444') as blob) where idx = ${index}`)
    const { findings } = await home.verify()
    expect(findings).toEqual([expect.objectContaining({ code: 'changed', index })])
  })

  it.each(indexes)('that is dropped is found: %i', async (index) => {
    await using home = await whole.copy()
    home.edit(`delete from audit_entries where idx = ${index}`)
    const { findings } = await home.verify()
    expect(findings).toEqual([expect.objectContaining({ code: 'missing', index })])
  })

  it.each(indexes)('that is dropped with its hash is found: %i', async (index) => {
    await using home = await whole.copy()
    home.edit(`delete from audit_entries where idx = ${index};
      delete from audit_hashes where level = 0 and idx = ${index}`)
    const report = await home.verify()
    expect(report.isSound).toBe(false)
    expect(report.findings.some((finding) => finding.index === index)).toBe(true)
    expect(report.findings.every((finding) => (finding.index ?? 0) >= 0)).toBe(true)
  })

  it.each(
    indexes.slice(0, -1),
  )('that is exchanged with the next one is found: %i', async (index) => {
    await using home = await whole.copy()
    home.edit(`update audit_entries set idx = -9 where idx = ${index};
      update audit_entries set idx = ${index} where idx = ${index + 1};
      update audit_entries set idx = ${index + 1} where idx = -9`)
    const { findings } = await home.verify()
    expect(findings[0]).toMatchObject({ code: 'changed', index })
    expect(findings.every(({ index: first = -1 }) => [index, index + 1].includes(first))).toBe(true)
  })

  it.each(indexes)('that overwrites another one is found: %i', async (index) => {
    await using home = await whole.copy()
    const other = (index + 7) % size
    home.edit(`delete from audit_entries where idx = ${other};
      insert into audit_entries select ${other}, at, type, actor, agent_id, execution_id, body
        from audit_entries where idx = ${index}`)
    const { findings } = await home.verify()
    expect(findings).toEqual([expect.objectContaining({ code: 'changed', index: other })])
  })

  it.each([-1, 700, 701, 5000])('that is put in where none belongs is found: %i', async (index) => {
    await using home = await whole.copy()
    home.edit(`insert into audit_entries select ${index}, at, type, actor, agent_id, execution_id, body
      from audit_entries where idx = 5`)
    const { findings } = await home.verify()
    expect(findings).toEqual([expect.objectContaining({ code: 'surplus', index })])
  })

  it.each([
    ["type = 'harmless'", 'mislabelled'],
    ["at = '2020-01-01T00:00:00.000Z'", 'mislabelled'],
    ["actor = 'somebody else'", 'mislabelled'],
    ["execution_id = 'another'", 'mislabelled'],
    ["agent_id = 'another'", 'mislabelled'],
  ])('that is hidden from who looks for it is found: %s', async (change, code) => {
    await using home = await whole.copy()
    home.edit(`update audit_entries set ${change} where idx = 256`)
    const { findings } = await home.verify()
    expect(findings).toEqual([expect.objectContaining({ code, index: 256 })])
  })

  it.each(indexes)('that is changed together with its hash is found: %i', async (index) => {
    await using home = await whole.copy()
    forge(home, index)
    const report = await home.verify()
    expect(report.isSound).toBe(false)
    expect(names(report, index)).toBe(true)
    const widest = Math.max(...report.findings.map(({ index = 0, through = 0 }) => through - index))
    expect(widest).toBeLessThan(300)
  })
})

describe('a hash of the store', () => {
  it.each(indexes)('that is changed is found: %i', async (index) => {
    await using home = await whole.copy()
    home.edit(`update audit_hashes set hash = zeroblob(32) where level = 0 and idx = ${index}`)
    const report = await home.verify()
    expect(report.findings.some(({ code, index: at }) => code === 'changed' && at === index)).toBe(
      true,
    )
  })

  it.each([0, 1])('of a bundle that is changed is found: %i', async (index) => {
    await using home = await whole.copy()
    home.edit(`update audit_hashes set hash = zeroblob(32) where level = 1 and idx = ${index}`)
    const report = await home.verify()
    expect(report.findings[0]?.index).toBeLessThanOrEqual(256 * index)
    expect(names(report, 256 * index)).toBe(true)
    await expect(home.run(async () => undefined)).rejects.toMatchObject(refuses)
  })

  it.each([0, 1])('of a bundle that is gone is found: %i', async (index) => {
    await using home = await whole.copy()
    home.edit(`delete from audit_hashes where level = 1 and idx = ${index}`)
    const report = await home.verify()
    expect(report.isSound).toBe(false)
    expect(names(report, 256 * index)).toBe(true)
    await expect(home.run(async () => undefined)).rejects.toMatchObject(refuses)
  })
})

describe('the end of the store', () => {
  it.each([1, 10, 187, 188, 300])('that is cut off is found: %i entries', async (count) => {
    await using home = await whole.copy()
    cutOff(home, size - count)
    const report = await home.verify()
    expect(report.isSound).toBe(false)
    expect(report.findings).toContainEqual(
      expect.objectContaining({ code: 'truncated', index: size - count, through: size - 1 }),
    )
    await expect(home.run(async () => undefined)).rejects.toMatchObject({ code: 'audit.forked' })
  })

  it('that is cut off with all checkpoints in the database is found by the copy beside it', async () => {
    await using home = await whole.copy()
    cutOff(home, 600)
    home.edit('delete from audit_checkpoints where size > 600')
    await expect(home.run(async () => undefined)).rejects.toMatchObject({ code: 'audit.forked' })
    const { findings } = await home.verify()
    expect(findings).toEqual([expect.objectContaining({ code: 'truncated', index: 600 })])
  })
})

it('a database that was put back from an older copy is refused, and a newer one taken', async () => {
  await using home = await whole.copy()
  const old = await readFile(home.database)
  await home.append(5, size)
  const young = await readFile(home.database)
  await writeFile(home.database, old)
  await expect(home.run(async () => undefined)).rejects.toThrow('705 were signed')
  await writeFile(home.database, young)
  expect(await home.verify()).toMatchObject({ isSound: true, size: 705 })
  await home.append(1, 705)
})

it('a log that was made anew as a whole is refused', async () => {
  await using home = await whole.copy()
  await using other = await makeAuditHome()
  await other.append(size, 1)
  await writeFile(home.database, await readFile(other.database))
  await expect(home.run(async () => undefined)).rejects.toMatchObject({ code: 'audit.forked' })
  const { isSound, findings } = await home.verify()
  expect(isSound).toBe(false)
  expect(findings).toContainEqual(expect.objectContaining({ code: 'root', index: size }))
})

it('a checkpoint of the store that was changed is found', async () => {
  await using home = await whole.copy()
  home.edit(`update audit_checkpoints set note = replace(note, '300', '299') where size = 300`)
  const { findings } = await home.verify()
  expect(findings).toEqual([expect.objectContaining({ code: 'unsigned' })])
})

it('any byte of an entry that is flipped in the file is found, with its entry', async () => {
  const random = makeSeededRandom()
  await using home = await whole.copy()
  const content = await readFile(home.database)
  for (let round = 0; round < 120; round += 1) {
    const index = random.below(size)
    const body = Buffer.from(bodyOf(index))
    const start = content.indexOf(body)
    expect(start).toBeGreaterThan(0)
    const place = start + random.below(body.length)
    const spoilt = Buffer.from(content)
    spoilt.writeUInt8(spoilt.readUInt8(place) ^ (1 << random.below(8)), place)
    await writeFile(home.database, spoilt)
    const { findings } = await home.verify()
    expect(findings).toEqual([expect.objectContaining({ code: 'changed', index })])
    // Whatever SQLite has left beside it belongs to the spoilt one.
    await writeFile(home.database, content)
  }
})

it('a proof is not given for what was changed', async () => {
  await using home = await whole.copy()
  home.edit(`update audit_entries set body = cast('{}' as blob) where idx = 3`)
  forge(home, 400)
  await home.run(async (_, log) => {
    const { prove } = Object(log) as { prove: (index: number) => Promise<string> }
    await expect(prove(3)).rejects.toMatchObject({ code: 'audit.forked' })
    await expect(prove(400)).rejects.toMatchObject({ code: 'audit.forked' })
    expect(await prove(5)).toContain('index 5\n')
  })
})

/** Puts another entry in, with the right hash, as one would who knows the tables. */
function forge(home: AuditHome, index: number): void {
  const body = Buffer.from('{"at":"","data":{},"type":"forged"}')
  using database = new DatabaseSync(home.database)
  database
    .prepare(
      `update audit_entries set body = ?, at = '', type = 'forged', actor = null,
       agent_id = null, execution_id = null where idx = ?`,
    )
    .run(body, index)
  database
    .prepare('update audit_hashes set hash = ? where level = 0 and idx = ?')
    .run(merkle.leaf(body), index)
}

/** Makes the tables those of a log with `left` entries. */
const cutOff = (home: AuditHome, left: number): void =>
  home.edit(`delete from audit_entries where idx >= ${left};
    delete from audit_hashes where level = 0 and idx >= ${left};
    delete from audit_hashes where level = 1 and idx >= ${left >> 8}`)

function bodyOf(index: number): string {
  const { at, type, actor, executionId, data } = anEntry(index)
  const sorted = {
    actor,
    at,
    data: { entry: data.entry, host: data.host, port: data.port },
    executionId,
    type,
  }
  return JSON.stringify(sorted)
}
