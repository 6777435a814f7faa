import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type HostScene, never } from '../hosts/host-scene.ts'
import type { SandboxHostKind } from '../hosts/sandbox-host.ts'

export function describeGuest(scene: HostScene): void {
  describe('a guest', () => {
    it('that says nothing is given up in time, and nothing is left of it', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'aegis-silent-'))
      onTestFinished(() => rm(directory, { recursive: true }))
      const guestPath = join(directory, 'guest')
      await writeGuest(scene.kind, guestPath, silent)
      const host = await scene.kind.open({ guestPath, helloTimeoutMs: 1000 })
      onTestFinished(() => host[Symbol.asyncDispose]())
      const started = performance.now()
      await expect(host.runtime.boot(host.spec(), never)).rejects.toMatchObject({
        name: 'AegisError',
        kind: expect.stringMatching(/^(timeout|unavailable)$/),
      })
      expect(performance.now() - started).toBeGreaterThanOrEqual(1000)
      await host.expectNothingLeft()
    })

    it('that ends at once is told with its last words', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'aegis-brief-'))
      onTestFinished(() => rm(directory, { recursive: true }))
      const guestPath = join(directory, 'guest')
      await writeGuest(scene.kind, guestPath, brief)
      const host = await scene.kind.open({ guestPath })
      onTestFinished(() => host[Symbol.asyncDispose]())
      await expect(host.runtime.boot(host.spec(), never)).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringContaining('famous last words'),
      })
      await host.expectNothingLeft()
    })
  })
}

/** A program as a script, and in C for machines, which bring no shell. */
interface BrokenGuest {
  readonly script: string
  readonly c: string
}

const silent: BrokenGuest = {
  script: 'exec sleep 1000',
  c: 'int main(void) { for (;;) pause(); }',
}

const brief: BrokenGuest = {
  script: 'echo famous last words >&2; exit 3',
  c: 'int main(void) { write(2, "famous last words\\n", 18); sync(); reboot(RB_AUTOBOOT); }',
}

async function writeGuest(kind: SandboxHostKind, path: string, guest: BrokenGuest): Promise<void> {
  if (!kind.ownKernel) return writeFile(path, `#!/bin/sh\n${guest.script}\n`, { mode: 0o755 })
  const source = `${path}.c`
  await writeFile(source, `#include <sys/reboot.h>\n#include <unistd.h>\n${guest.c}\n`)
  await promisify(execFile)('cc', ['-static', '-Os', '-o', path, source])
}
