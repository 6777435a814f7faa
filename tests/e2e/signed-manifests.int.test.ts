import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type AegisCommand, openNodeCommand } from './aegis-command.ts'
import { fails, json, ok, writeAgent } from './product-commands.ts'

const timeout = 120_000

/** A node that takes manifests of one signer alone, whose key is in `release.key`. */
async function open(): Promise<AegisCommand> {
  const aegis = await openNodeCommand()
  onTestFinished(() => aegis[Symbol.asyncDispose]())
  const { verifier_key: key } = await json<{ verifier_key: string }>(
    aegis,
    'agent',
    'keygen',
    'acme/release',
    '-o',
    'release.key',
  )
  await writeFile(
    join(aegis.home, 'config.yaml'),
    `apiVersion: 100monkeys.ai/v1
kind: NodeConfig
metadata: {name: test}
spec:
  node: {id: test, type: edge}
  security: {supply: {manifest_keys: ["${key}"]}}
`,
  )
  return aegis
}

describe.each(['with a daemon', 'without a daemon'])('signed manifests %s', { timeout }, (how) => {
  it('are deployed with the files of their context, and unsigned or changed ones are not', async () => {
    const aegis = await open()
    if (how === 'with a daemon') await ok(aegis, 'daemon', 'start', '--port', String(aegis.port))
    const manifest = await writeAgent(aegis, 'hello', 'console.log("signed")')
    const deploy = ['agent', 'deploy', manifest]
    await fails(aegis, 1, /takes signed manifests alone.*aegis agent sign/, ...deploy)
    expect(await ok(aegis, 'agent', 'sign', manifest, '--key', 'release.key')).toBe(
      'Signed agent hello 1.0.0 into hello/agent.yaml.signed\n',
    )
    expect(await ok(aegis, ...deploy)).toMatch(/^Deployed agent hello revision 1\n/)
    expect(await ok(aegis, 'task', 'execute', 'hello', '--wait')).toContain('signed')

    await aegis.write('hello/main.mjs', 'console.log("changed")')
    await fails(aegis, 1, /or a file of its context, was changed since/, ...deploy, '--replace')
    await rm(join(aegis.folder, `${manifest}.signed`))
    await fails(aegis, 1, /is not signed/, ...deploy, '--replace')

    await ok(aegis, 'agent', 'keygen', 'acme/release', '-o', 'other.key')
    await ok(aegis, 'agent', 'sign', manifest, '--key', 'other.key')
    await fails(aegis, 1, /signed by no key that the operator/, ...deploy, '--replace')

    await ok(aegis, 'agent', 'sign', manifest, '--key', 'release.key', '-o', 'shipped.signed')
    expect(await ok(aegis, 'agent', 'deploy', 'shipped.signed', '--replace')).toMatch(/revision 2/)
    expect(await ok(aegis, 'task', 'execute', 'hello', '--wait')).toContain('changed')
  })
})

describe('a key that signs manifests', { timeout }, () => {
  it('is for its owner alone, and never written over', async () => {
    const aegis = await open()
    const path = join(aegis.folder, 'release.key')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const before = await readFile(path, 'utf8')
    await fails(aegis, 1, /there already/, 'agent', 'keygen', 'acme/release', '-o', 'release.key')
    await fails(aegis, 2, /cannot name a key/, 'agent', 'keygen', 'a b', '-o', 'x.key')
    await fails(aegis, 2, /cannot be read/, 'agent', 'sign', 'absent.yaml', '--key', 'release.key')
    expect(await readFile(path, 'utf8')).toBe(before)
  })
})
