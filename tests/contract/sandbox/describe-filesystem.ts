import { chmod, chown, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ContractCommands } from '../contract-commands.ts'
import { type HostScene, never, tidyAfterEach } from '../hosts/host-scene.ts'

export function describeFilesystem(
  scene: HostScene,
  sh: NonNullable<ContractCommands['sh']>,
): void {
  const { run } = scene

  describe('the file system', () => {
    tidyAfterEach(scene)

    it('has room for the agent in /workspace and /tmp, empty at first', async () => {
      const sandbox = await scene.boot()
      const { stdout } = await run(
        sandbox,
        sh('for d in /workspace /tmp; do find $d -mindepth 1; touch $d/mine && echo $d; done'),
      )
      expect(stdout.toString()).toBe('/workspace\n/tmp\n')
    })

    it('runs programs from there', async () => {
      const sandbox = await scene.boot()
      for (const directory of ['/workspace', '/tmp']) {
        const content = Buffer.from('#!/bin/sh\necho ran\n')
        await sandbox.writeFiles([{ path: `${directory}/tool`, content, mode: 0o755 }], never)
        expect((await run(sandbox, [`${directory}/tool`])).stdout.toString()).toBe('ran\n')
      }
    })

    it('may be read-only in /workspace, for the agent and not for its owner', async () => {
      const sandbox = await scene.boot({ filesystem: { readOnly: true } })
      const path = '/workspace/deep/note'
      await sandbox.writeFiles([{ path, content: Buffer.from('one') }], never)
      const script = 'cat deep/note; echo x > new || rm deep/note || echo refused; touch /tmp/x'
      const { stdout, exit } = await run(sandbox, sh(script))
      expect([stdout.toString(), exit.code]).toEqual(['onerefused\n', 0])
      await sandbox.writeFiles([{ path, content: Buffer.from('another') }], never)
      expect((await run(sandbox, sh('cat deep/note'))).stdout.toString()).toBe('another')
      expect(Buffer.from(await sandbox.readFile(path, 100, never)).toString()).toBe('another')
    })

    it('has no more room in a read-only /workspace than the disk', async () => {
      const limits = { diskBytes: 1 << 20 }
      const sandbox = await scene.boot({ filesystem: { readOnly: true }, limits })
      const file = { path: '/workspace/big', content: new Uint8Array((1 << 20) + 1) }
      await expect(sandbox.writeFiles([file], never)).rejects.toMatchObject({ kind: 'exhausted' })
    })

    it('takes no file out of a read-only /workspace by a clever path', async () => {
      const sandbox = await scene.boot({ filesystem: { readOnly: true } })
      const path = '/workspace/../../../../tmp/escaped'
      await sandbox.writeFiles([{ path, content: Buffer.from('x') }], never).catch(() => {})
      expect((await run(sandbox, sh('find /workspace -mindepth 1'))).stdout.toString()).toBe('')
      await expect(readFile('/tmp/escaped')).rejects.toThrow('ENOENT')
    })

    const { lends } = scene.kind
    it.runIf(lends)(
      'has host paths that were lent, at the same place, to read or to write',
      async () => {
        const [reading, writing] = [await lentDirectory(), await lentDirectory()]
        await writeFile(join(reading, 'data'), 'rows')
        const sandbox = await scene.boot({ filesystem: { read: [reading], write: [writing] } })
        const script =
          'cat "$1/data" > "$2/out"; echo x 2>/dev/null > "$1/new" || echo more >> "$1/data"'
        const { exit } = await run(sandbox, sh(script, reading, writing))
        expect(exit.code).not.toBe(0)
        expect(await readFile(join(writing, 'out'), 'utf8')).toBe('rows')
        expect(await readFile(join(reading, 'data'), 'utf8')).toBe('rows')
      },
    )

    it.runIf(lends)('has a single file that was lent', async () => {
      const path = join(await lentDirectory(), 'single')
      await writeFile(path, 'alone')
      const sandbox = await scene.boot({ filesystem: { read: [path] } })
      const { stdout } = await run(
        sandbox,
        sh('cat "$1"; echo; cd "$(dirname "$1")"; echo *', path),
      )
      expect(stdout.toString()).toBe('alone\nsingle\n')
    })

    it.runIf(lends)('is not made of host paths that are not there', async () => {
      const spec = scene.host.spec({ filesystem: { read: ['/no/such/path'] } })
      await expect(scene.host.runtime.boot(spec, never)).rejects.toMatchObject({ kind: 'invalid' })
    })

    it.skipIf(lends)('is refused host paths, which it could not see', async () => {
      const path = await lentDirectory()
      for (const filesystem of [{ read: [path] }, { write: [path] }])
        await expect(scene.boot({ filesystem })).rejects.toMatchObject({
          kind: 'unsupported',
          code: 'sandbox.host-paths',
        })
    })
  })
}

/** A directory of the host that is no sandbox's business unless it is lent. */
async function lentDirectory(): Promise<string> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'aegis-lent-')))
  onTestFinished(() => rm(path, { recursive: true }))
  // Root's own directories are lent to nobody.
  if (process.getuid?.() === 0) await chown(path, 4321, 4321)
  await chmod(path, 0o755)
  return path
}
