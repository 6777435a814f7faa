import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type HostScene, MiB, never, shareSandbox } from '../hosts/host-scene.ts'

export function describeFiles(scene: HostScene): void {
  const { commands, run } = scene
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

  describe('files', () => {
    const shared = shareSandbox(scene)

    it('come back as they were put in, parents made', async () => {
      const content = randomBytes(3 * MiB)
      const path = '/workspace/deep/er/file.bin'
      const files = [
        { path, content },
        { path: '/tmp/empty', content: Buffer.alloc(0) },
      ]
      await shared().writeFiles(files, never)
      expect(Buffer.from(await shared().readFile(path, 4 * MiB, never)).equals(content)).toBe(true)
      expect(await shared().readFile('/tmp/empty', 1, never)).toHaveLength(0)
    })

    it('are replaced when written again', async () => {
      const path = '/workspace/note'
      await shared().writeFiles([{ path, content: Buffer.from('a longer first text') }], never)
      await shared().writeFiles([{ path, content: Buffer.from('short') }], never)
      expect(text(await shared().readFile(path, 100, never))).toBe('short')
    })

    it('may have odd names', async () => {
      const names = ['with space', 'grüße 日本', '-n', '$HOME', '..dots', 'new\nline']
      const files = names.map((name) => ({
        path: `/workspace/odd/${name}`,
        content: Buffer.from(name),
      }))
      await shared().writeFiles(files, never)
      for (const { path, content } of files)
        expect(text(await shared().readFile(path, 100, never))).toBe(text(content))
    })

    it.each([
      'relative',
      '/tmp/../etc/x',
      '/tmp/nul\0',
      '',
      `/tmp/${'x'.repeat(5000)}`,
    ])('are not put at a path that could mean another: %j', async (path) => {
      const writing = shared().writeFiles([{ path, content: Buffer.from('x') }], never)
      await expect(writing).rejects.toMatchObject({ kind: 'invalid' })
    })

    it.runIf(commands.sh)('belong to the agent, with the mode that was asked for', async () => {
      const files = [
        { path: '/workspace/tool', content: Buffer.from('#!/bin/sh\necho works\n'), mode: 0o700 },
        { path: '/workspace/plain', content: Buffer.from('x') },
      ]
      await shared().writeFiles(files, never)
      const script = './tool; echo more >> plain; find tool plain -printf "%m\\n"; rm tool plain'
      const { stdout } = await run(shared(), commands.sh?.(script) ?? commands.exit(1))
      expect(stdout.toString()).toBe('works\n700\n644\n')
    })

    it('that are not there are told so', async () => {
      const reading = shared().readFile('/workspace/none', 100, never)
      await expect(reading).rejects.toMatchObject({ kind: 'not-found' })
    })

    it('that are larger than the reader wants are refused', async () => {
      await shared().writeFiles([{ path: '/tmp/big', content: new Uint8Array(2 * MiB) }], never)
      await expect(shared().readFile('/tmp/big', MiB, never)).rejects.toMatchObject({
        kind: 'exhausted',
      })
      expect(await shared().readFile('/tmp/big', 2 * MiB, never)).toHaveLength(2 * MiB)
    })

    it('that do not fit are told so, and the sandbox stays usable', async () => {
      const writing = shared().writeFiles(
        [{ path: '/tmp/huge', content: new Uint8Array(65 * MiB) }],
        never,
      )
      await expect(writing).rejects.toMatchObject({ kind: 'exhausted' })
      expect((await run(shared(), commands.exit(0))).exit.code).toBe(0)
    })

    it('are not moved when cancelled, and the sandbox stays usable', async () => {
      const cancel = new AbortController()
      const content = new Uint8Array(16 * MiB)
      const writing = shared().writeFiles([{ path: '/workspace/large', content }], cancel.signal)
      cancel.abort(new Error('enough'))
      // Cancelling after the last byte was sent is no failure.
      await writing.catch((error: Error) => expect(error.message).toBe('enough'))
      const aborted = AbortSignal.abort(new Error('no'))
      await expect(shared().readFile('/workspace/large', 1, aborted)).rejects.toThrow('no')
      expect((await run(shared(), commands.exit(0))).exit.code).toBe(0)
    })

    it('can be read while their reader changes its mind', async () => {
      const path = '/workspace/long'
      await shared().writeFiles([{ path, content: new Uint8Array(8 * MiB) }], never)
      const cancel = new AbortController()
      const reading = shared().readFile(path, 8 * MiB, cancel.signal)
      setTimeout(() => cancel.abort(new Error('enough')), 1)
      await reading.catch((error: Error) => expect(error.message).toBe('enough'))
      expect(await shared().readFile(path, 8 * MiB, never)).toHaveLength(8 * MiB)
    })
  })
}
