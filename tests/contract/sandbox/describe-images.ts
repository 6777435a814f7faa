import { randomBytes } from 'node:crypto'
import type { Interpreter, Sandbox } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { type HostScene, MiB, never, shareSandbox, tidyAfterEach } from '../hosts/host-scene.ts'
import type { HostImages } from '../hosts/sandbox-host.ts'
import { collect } from '../sandbox-driver.ts'

export function describeImages(scene: HostScene): void {
  const { kind, run, start } = scene
  const images = (): HostImages => {
    const { images } = scene.host
    if (images === undefined) throw new Error(`${kind.name} says that it boots from images`)
    return images
  }
  const bootFrom = (image: string, language: Interpreter['language'] = 'javascript') =>
    scene.boot({ interpreter: { language, version: '1', image } })
  const sh = async (sandbox: Sandbox, script: string) =>
    (await run(sandbox, ['/bin/sh', '-c', script])).stdout.toString()

  /** An image may have to be made, and a disk of it. */
  const patience = { timeout: 60_000 + 10_000 * kind.slowness }

  describe('an image', patience, () => {
    tidyAfterEach(scene)

    it('brings its Node', async () => {
      const sandbox = await bootFrom(await images().get('node'))
      const { stdout } = await run(sandbox, ['node', '-p', 'process.version'])
      expect(stdout.toString()).toMatch(/^v18\./)
    })

    it('brings its python, with its library', { timeout: 60_000 }, async () => {
      const sandbox = await bootFrom(await images().get('python'), 'python')
      const script = 'import json, ssl, sqlite3, urllib.request; print("complete")'
      for (const name of ['python3', 'python']) {
        const { stdout, stderr } = await run(sandbox, [name, '-c', script])
        expect([stderr.toString(), stdout.toString()]).toEqual(['', 'complete\n'])
      }
    })

    it('that is not there is told so, and nothing is left', async () => {
      await expect(bootFrom('no-such-image:1')).rejects.toMatchObject({ kind: 'not-found' })
      await scene.host.expectNothingLeft()
    })

    it('has to be named', async () => {
      const booting = scene.boot({ interpreter: { language: 'javascript', version: '18' } })
      await expect(booting).rejects.toMatchObject({ kind: 'unsupported' })
    })

    it('gives its variables to commands, beneath their own', async () => {
      const image = await images().make(['ENV FROM_IMAGE=yes', 'ENV BOTH=image', 'ENV PATH=/odd'])
      const sandbox = await bootFrom(image)
      const { stdout } = await run(sandbox, kind.commands.environment(), { BOTH: 'command' })
      expect(stdout.toString().trim().split('\n').sort()).toEqual([
        'BOTH=command',
        'FROM_IMAGE=yes',
        `PATH=${kind.path}`,
      ])
    })

    it('decides neither the user nor the program nor the place', async () => {
      const image = await images().make([
        'USER 0',
        'ENTRYPOINT ["/bin/false"]',
        'CMD ["nonsense"]',
        'WORKDIR /usr',
      ])
      const sandbox = await bootFrom(image)
      const { stdout } = await run(sandbox, ['/bin/sh', '-c', 'id -u; pwd'])
      expect(stdout.toString()).toMatch(/^[1-9]\d*\n\/workspace\n$/)
    })

    it.runIf(kind.containers)('gets no more disk by declaring a volume', async () => {
      const image = await images().make(['VOLUME /var/data', 'VOLUME /srv'])
      const sandbox = await scene.boot({
        interpreter: { language: 'none', version: '', image },
        limits: { diskBytes: 8 * MiB },
      })
      for (const path of ['/var/data', '/srv']) {
        const { exit } = await run(sandbox, kind.commands.limits?.fill(path, 32 * MiB) ?? ['false'])
        expect(exit.code).not.toBe(0)
        expect(await sh(sandbox, `wc -c < ${path}/fill`)).toBe(`${8 * MiB}\n`)
      }
    })

    it.runIf(kind.containers)('may already have what belongs to the sandbox', async () => {
      const files = ['/workspace/old', '/tmp/old', '/.aegis/guest'].map((path) => ({
        path,
        content: Buffer.from('of the image'),
        mode: 0o755,
      }))
      const image = await images().make(['VOLUME /workspace', 'VOLUME /tmp'], files)
      const sandbox = await bootFrom(image)
      expect(
        await sh(sandbox, 'cat /workspace/old /tmp/old; touch /workspace/new && echo ok'),
      ).toBe('ok\n')
    })
  })

  describe.runIf(kind.containers)('an image that wants a volume', () => {
    it.each([
      '/',
      '/proc',
      '/sys/fs/cgroup',
      '/dev',
      '/.aegis',
      '/.aegis/guest',
    ])('where the sandbox or the kernel has something is refused: %s', async (path) => {
      const image = await images().make([`VOLUME ${path}`])
      await expect(bootFrom(image)).rejects.toMatchObject({ kind: 'invalid' })
      await scene.host.tidy()
    })
  })

  describe('an image with one program and nothing else', patience, () => {
    const shared = shareSandbox(scene, async () => ({
      interpreter: { language: 'none', version: '', image: await images().get('tiny') },
    }))
    const tiny = (...words: readonly string[]) => ['tiny', ...words] as [string, ...string[]]

    it('runs it', async () => {
      const { stdout, exit } = await run(shared(), tiny('echo', 'a  b', ''))
      expect([stdout.toString(), exit.code]).toEqual(['a  b \n', 0])
      expect((await run(shared(), tiny('exit', '9'))).exit.code).toBe(9)
    })

    it('gets its environment', async () => {
      const { stdout } = await run(shared(), tiny('env'), { GREETING: 'hello' })
      expect(stdout.toString()).toContain('GREETING=hello\n')
    })

    it('reads and writes', async () => {
      const bytes = randomBytes(4 * MiB)
      const { stdout } = await collect(await start(shared(), tiny('cat')), [bytes])
      expect(stdout.equals(bytes)).toBe(true)
    })

    it('can be killed', async () => {
      const running = await start(shared(), tiny('pause'))
      running.kill('KILL')
      expect(await running.exit).toMatchObject({ signal: 'KILL' })
    })

    it('takes and gives files', async () => {
      const path = '/workspace/a/b'
      await shared().writeFiles([{ path, content: Buffer.from('kept') }], never)
      expect(Buffer.from(await shared().readFile(path, 10, never)).toString()).toBe('kept')
    })

    it('lacks all others', async () => {
      await expect(start(shared(), ['/bin/sh', '-c', 'true'])).rejects.toMatchObject({
        kind: 'not-found',
      })
    })
  })
}
