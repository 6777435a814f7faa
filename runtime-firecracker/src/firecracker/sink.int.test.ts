import { constants } from 'node:fs'
import { mkdtemp, open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { expect, it, onTestFinished, vi } from 'vitest'
import { keepEnd, openSinks } from './sink.ts'

it('keeps the end of what is said, and no more than it may, however much that is', () => {
  const stream = new PassThrough()
  const sink = keepEnd(stream, 16)
  for (let line = 0; line < 10_000; line++) stream.write(`line ${line}\n`)
  expect(sink.text()).toBe(' 9998\nline 9999\n')
  stream.write('x'.repeat(1 << 20))
  expect(sink.text()).toBe('x'.repeat(16))
})

it('takes log and metrics of a monitor into memory, and not to the disk', async () => {
  const jail = await mkdtemp(join(tmpdir(), 'aegis-sink-'))
  onTestFinished(() => rm(jail, { recursive: true }))
  const uid = process.getuid?.() ?? 0
  await using opened = await openSinks(jail, ['log', 'metrics'], uid, 1024)
  const log = join(jail, 'log')
  expect((await stat(log)).isFIFO()).toBe(true)
  expect((await stat(log)).mode & 0o777).toBe(0o600)
  // As Firecracker opens them: what does not fit is lost, and it goes on.
  await using writer = await open(log, constants.O_WRONLY | constants.O_NONBLOCK)
  const say = (words: string) => writer.write(words).catch(() => undefined)
  for (let written = 0; written < 4 << 20; written += 4096) await say('x'.repeat(4096))
  await vi.waitFor(async () => {
    await say('the last words')
    expect(opened.sinks.log.text()).toMatch(/the last words$/)
  })
  expect(opened.sinks.log.text().length).toBeLessThanOrEqual(1024)
  expect((await stat(log)).size).toBe(0)
  expect(opened.sinks.metrics.text()).toBe('')
})
