import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeAuditControl } from '@aegis/core'
import { formatVerifierKey, parseProof } from '@aegis/core/audit'
import { makeInMemoryStore } from '@aegis/core/testing'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { exportLog } from './export-log.ts'
import {
  type AuditScene,
  anEntry,
  entries,
  never,
  openAuditScene,
  pause,
} from './testing/audit-scene.ts'

const main = fileURLToPath(new URL('./verify-main.ts', import.meta.url))
const command = fileURLToPath(new URL('../../bin/aegis-audit-verify.js', import.meta.url))

describe('aegis-audit-verify', () => {
  it('is made of the formats and the mathematics of the log, and of nothing else of AEGIS', async () => {
    const { metafile, outputFiles } = await bundle()
    const root = fileURLToPath(new URL('../../..', import.meta.url))
    const inputs = Object.keys(metafile.inputs).map((path) => join(process.cwd(), path))
    const own = inputs.map((path) => path.slice(root.length)).sort()
    const permitted =
      /^(core\/src\/audit\/[a-z0-9-]+|core\/src\/kernel\/(aegis-error|base64|canonical-json|hex)|security\/src\/audit\/(audit-crypto|export-source|verify-export|verify-main))\.ts$/
    expect(own.filter((path) => !permitted.test(path))).toEqual([])
    const foreign = Object.values(metafile.inputs)
      .flatMap((input) => input.imports)
      .filter(({ external }) => external === true)
      .map(({ path }) => path)
    expect([...new Set(foreign)].sort()).toEqual(['node:crypto', 'node:fs', 'node:path'])
    // Small enough to be read by whoever must trust it.
    expect(outputFiles[0]?.text.split('\n').length).toBeLessThan(1500)
  })

  it('checks an export as one file that was carried to another machine', async () => {
    await using scene = await openAuditScene()
    const { key, directory } = await exported(scene, 300)
    const [file] = (await bundle()).outputFiles
    const carried = join(scene.directory, 'verify.mjs')
    await writeFile(carried, file?.contents ?? '')
    const sound = await run(carried, ['--key', key, directory])
    expect(sound).toMatchObject({ code: 0, stderr: '' })
    expect(sound.stdout).toContain('aegis/test: all 300 entries are as they were appended')
    const path = join(directory, 'tile/entries/000')
    const content = await readFile(path)
    content.writeUInt8(content.readUInt8(5000) ^ 4, 5000)
    await writeFile(path, content)
    const spoilt = await run(carried, ['--key', key, '--json', directory])
    expect(spoilt.code).toBe(1)
    expect(JSON.parse(spoilt.stdout)).toMatchObject({
      isSound: false,
      findings: [{ code: 'changed' }],
    })
  })

  it('holds an export against a checkpoint that was kept', async () => {
    await using scene = await openAuditScene()
    const { key, directory } = await exported(scene, 30)
    const witness = join(scene.directory, 'witness')
    await writeFile(witness, await readFile(join(directory, 'checkpoint')))
    await scene.audit.record(entries(20, 30))
    await exported(scene, 0)
    const grown = await run(command, ['--key', key, '--witness', witness, directory])
    expect(grown).toMatchObject({ code: 0 })
    const young = await openAuditScene()
    await writeFile(join(scene.directory, 'empty'), '')
    const missing = await run(command, ['--key', key, '--witness', witness, young.directory])
    expect(missing.code).toBe(2)
    const none = join(scene.directory, 'empty')
    expect(await run(command, ['--key', key, '--witness', none, directory])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no signed note'),
    })
    await young[Symbol.asyncDispose]()
  })

  it('checks a proof, with the entry where the log had dropped it', async () => {
    await using scene = await openAuditScene()
    const { key, control } = await exported(scene, 600)
    const keyFile = join(scene.keys, 'audit.pub')
    const proof = join(scene.directory, 'entry.tlog-proof')
    await writeFile(proof, await control.prove(5))
    const shown = await run(command, ['--key', keyFile, '--proof', proof])
    expect(shown.code).toBe(0)
    expect(shown.stdout).toContain('"number":5')
    const entry = join(scene.directory, 'entry')
    await writeFile(entry, parseProof(await control.prove(5)).extra ?? '')
    await scene.audit.dropBodies(256, anEntry(600, { type: 'audit.bodies-dropped' }))
    await writeFile(proof, await control.prove(5))
    const dropped = await run(command, ['--key', key, '--proof', proof])
    expect(dropped.stdout).toContain('is the entry with the hash')
    const given = await run(command, ['--key', key, '--proof', proof, '--entry', entry, '--json'])
    expect(JSON.parse(given.stdout)).toMatchObject({ index: 5, entry: expect.any(String) })
    await writeFile(entry, 'another')
    const wrong = await run(command, ['--key', key, '--proof', proof, '--entry', entry])
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('another entry') })
    await writeFile(proof, (await control.prove(300)).replace('index 300', 'index 301'))
    expect((await run(command, ['--key', key, '--proof', proof])).code).toBe(1)
  })

  it.each([
    [[], '--key'],
    [['--key', 'nonsense', '.'], 'cannot be read'],
    [['--key'], 'needs a value'],
    [['--key', 'a+12345678+AAAA', '.'], 'is no public key'],
    [['--key', 'a', '--frobnicate'], 'no flag --frobnicate'],
    [['--key', 'a', 'b', 'c'], 'one directory'],
    [['--key', 'a', '--from', 'x', 'b'], '--from'],
  ])('says what is wrong with %j', async (args, text) => {
    const { code, stderr } = await run(command, args)
    expect(code).toBe(2)
    expect(stderr).toContain(text)
  })

  it('explains itself', async () => {
    expect(await run(command, ['--help'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Exit codes: 0'),
    })
  })
})

/** As scripts/build.ts makes it. */
const bundle = () =>
  build({
    entryPoints: [main],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    metafile: true,
    write: false,
  })

/** The scene's log with more entries, in a directory. */
async function exported(scene: AuditScene, count: number) {
  await scene.audit.record(entries(count))
  const notary = await scene.open()
  const { agents } = makeInMemoryStore()
  const control = makeAuditControl({ audit: scene.audit, notary, agents, pause })
  const directory = join(scene.directory, 'export')
  await exportLog({ log: control, directory, onProgress: () => undefined, signal: never })
  await notary[Symbol.asyncDispose]()
  return { directory, control, key: formatVerifierKey(notary.signer.key) }
}

const run = (
  file: string,
  args: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr })
    })
  })
