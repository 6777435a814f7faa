import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  formatVerifierKey,
  makeMerkleHash,
  makeStoredTree,
  parseProof,
  proveConsistency,
  rootOf,
  toBase64,
} from '@aegis/core/audit'
import { auditCrypto } from '@aegis/security'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuditHome, makeAuditHome } from '../audit/audit-home.ts'
import { goPackages, programPath, whyNoGo } from '../engine/requirements.ts'

const run = promisify(execFile)
const reason = whyNoGo()
const merkle = makeMerkleHash(auditCrypto.sha256)

describe.skipIf(reason !== undefined)(
  `Go's packages for its own module log${reason ? `: ${reason}` : ''}`,
  () => {
    let directory = ''
    let program = ''
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'aegis-go-'))
      program = join(directory, 'verify')
      const source = fileURLToPath(new URL('./verify.go', import.meta.url))
      await run(programPath('go') ?? 'go', ['build', '-o', program, source], {
        env: {
          PATH: process.env.PATH,
          GO111MODULE: 'off',
          GOPATH: goPackages,
          GOFLAGS: '',
          GOTOOLCHAIN: 'local',
          GOCACHE: join(directory, 'cache'),
        },
      })
    }, 240_000)
    afterAll(() => rm(directory, { recursive: true }))

    it.each([
      [1, 0, 1],
      [2, 1, 1],
      [255, 17, 254],
      [256, 0, 255],
      [257, 256, 256],
      [700, 300, 513],
    ])('read a log of %i entries, its tiles and its proofs', async (size, index, old) => {
      await using home = await makeAuditHome()
      await home.append(size, 0)
      const log = join(home.directory, 'export')
      await home.export(log)
      const args = await claimsOf(home, log, size, index, old)
      const { stdout } = await run(program, args)
      expect(stdout).toMatch(new RegExp(`^aegis/test: ${size} entries, root .*both proofs hold\n$`))
    })

    it('refuse what was changed', async () => {
      await using home = await makeAuditHome()
      await home.append(600, 0)
      const log = join(home.directory, 'export')
      await home.export(log)
      const args = await claimsOf(home, log, 600, 5, 300)
      const file = join(log, 'tile/entries/001')
      const bundle = await readFile(file)
      bundle.writeUInt8(bundle.readUInt8(100) ^ 1, 100)
      await writeFile(file, bundle)
      await expect(run(program, args)).rejects.toThrow('is not what was appended')
    })
  },
)

/** What the program is told: two proofs that AEGIS made, and what they are to prove. */
async function claimsOf(
  home: AuditHome,
  log: string,
  size: number,
  index: number,
  old: number,
): Promise<string[]> {
  const inclusion = join(home.directory, 'inclusion')
  const consistency = join(home.directory, 'consistency')
  return home.run(async ({ audit }, readable, notary) => {
    const { prove } = Object(readable) as { prove: (index: number) => Promise<string> }
    const proof = parseProof(await prove(index))
    const tree = makeStoredTree(merkle, size, (tile) => audit.tile(tile))
    const path = await proveConsistency(tree, old, size)
    await writeFile(inclusion, proof.path.map((hash) => `${toBase64(hash)}\n`).join(''))
    await writeFile(consistency, path.map((hash) => `${toBase64(hash)}\n`).join(''))
    const entry = new TextDecoder().decode(proof.extra)
    const oldRoot = toBase64(rootOf(merkle, await tree.head(old)))
    const key = formatVerifierKey(notary.signer.key)
    return [log, key, inclusion, String(index), entry, consistency, String(old), oldRoot]
  })
}
