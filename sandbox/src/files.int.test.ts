import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootGuest, canBoot, never, type TestGuest } from './testing/boot-guest.ts'

describe.skipIf(!(await canBoot()))('files of a sandbox', () => {
  let guest: TestGuest
  beforeAll(async () => {
    guest = await bootGuest()
  })
  afterAll(() => guest[Symbol.asyncDispose]())

  const write = (path: string, content: Uint8Array, mode?: number) =>
    guest.session.writeFiles([{ path, content, ...(mode !== undefined && { mode }) }], never)
  const read = (path: string, limitBytes = 1 << 24) =>
    guest.session.readFile(path, limitBytes, never)

  it.each([
    0,
    1,
    32_760,
    32_761,
    1 << 20,
    7_654_321,
  ])('go in and come out: %i bytes', async (size) => {
    const content = randomBytes(size)
    await write('/workspace/round-trip', content)
    expect(content.equals(await read('/workspace/round-trip', size))).toBe(true)
  })

  it('get their parents and their mode', async () => {
    await write('/workspace/a/b/c.sh', Buffer.from('#!/bin/sh\necho ran\n'), 0o755)
    expect((await guest.run('/workspace/a/b/c.sh')).stdout).toBe('ran\n')
    await write('/workspace/secret', Buffer.from('x'), 0o600)
    expect((await guest.run('stat -c %a /workspace/secret')).stdout).toBe('600\n')
  })

  it('go in by the hundred', async () => {
    const files = Array.from({ length: 300 }, (_, i) => ({
      path: `/workspace/many/${i}`,
      content: Buffer.from(`${i}`),
    }))
    await guest.session.writeFiles(files, never)
    expect((await guest.run('ls /workspace/many | wc -l')).stdout.trim()).toBe('300')
  })

  it('are whole or absent when the disk is full, and leave no trace', async () => {
    await expect(write('/workspace/huge', Buffer.alloc(32 << 20))).rejects.toMatchObject({
      kind: 'exhausted',
      code: 'file.disk-full',
    })
    expect((await guest.run('ls -A /workspace | grep -E "huge|aegis"')).stdout).toBe('')
  })

  it('are not read beyond the limit', async () => {
    await write('/workspace/ten', Buffer.from('0123456789'))
    expect(Buffer.from(await read('/workspace/ten', 10)).toString()).toBe('0123456789')
    await expect(read('/workspace/ten', 9)).rejects.toMatchObject({
      kind: 'exhausted',
      code: 'file.too-large',
    })
    await expect(read('/dev/zero', 9)).rejects.toMatchObject({ code: 'file.kind' })
    await expect(read('/proc/self/maps', 9)).rejects.toMatchObject({ code: 'file.too-large' })
  })

  it('are refused with a reason', async () => {
    await expect(read('/workspace/none')).rejects.toMatchObject({
      kind: 'not-found',
      code: 'file.not-found',
    })
    await expect(read('/workspace')).rejects.toMatchObject({ code: 'file.kind' })
    await expect(write('/usr/x', Buffer.from(''))).rejects.toMatchObject({ kind: 'denied' })
    await expect(write('/workspace/ten/x', Buffer.from(''))).rejects.toMatchObject({
      code: 'file.kind',
    })
    for (const path of ['relative', '/a/../b', '/a//b', '/', '/a/', `/${'x'.repeat(5000)}`])
      await expect(read(path)).rejects.toMatchObject({ kind: 'invalid', code: 'file.path' })
  })

  it('replace a symbolic link rather than follow it, and never wait for a pipe', async () => {
    await guest.run('ln -s /usr/bin/true /workspace/link; mkfifo /workspace/pipe')
    await write('/workspace/link', Buffer.from('new'))
    expect(Buffer.from(await read('/workspace/link')).toString()).toBe('new')
    await expect(read('/workspace/pipe')).rejects.toMatchObject({ code: 'file.kind' })
  })

  it('stop on their way when they are no longer wanted', async () => {
    const controller = new AbortController()
    const writing = guest.session.writeFiles(
      [{ path: '/workspace/stopped', content: Buffer.alloc(8 << 20) }],
      controller.signal,
    )
    controller.abort(new Error('enough'))
    await expect(writing).rejects.toThrow('enough')
    expect((await guest.run('ls -A /workspace | grep -E "stopped|aegis"')).stdout).toBe('')
  })
})
