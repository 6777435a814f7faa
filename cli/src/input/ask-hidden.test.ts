import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recordTerminal } from '../testing/record-terminal.ts'
import { askHidden } from './ask-hidden.ts'

/** A keyboard that remembers how the terminal was left. */
class Keyboard extends EventEmitter {
  isTTY = true
  modes: boolean[] = []
  setRawMode(raw: boolean) {
    this.modes.push(raw)
  }
  resume() {}
  pause() {}
  type(...chunks: readonly (string | Uint8Array)[]) {
    for (const chunk of chunks) this.emit('data', Buffer.from(chunk))
  }
}

function ask() {
  const [stdin, terminal] = [new Keyboard(), recordTerminal()]
  return { stdin, terminal, answer: askHidden('Value', { terminal, stdin }) }
}

async function answerTo(...chunks: readonly (string | Uint8Array)[]): Promise<string | undefined> {
  const { stdin, answer } = ask()
  stdin.type(...chunks)
  const given = await answer
  return given === 'interrupted' ? given : given?.reveal()
}

describe('a hidden answer', () => {
  it('is what was typed up to the end of the line, and shown nowhere', async () => {
    const { stdin, terminal, answer } = ask()
    stdin.type('hun', 'ter2', '\r')
    expect(String(await answer)).toBe('[secret]')
    expect(terminal.stderr()).toBe('Value: \n')
    expect(terminal.stdout()).toBe('')
    expect(stdin.modes).toEqual([true, false])
    expect(stdin.listenerCount('data') + stdin.listenerCount('end')).toBe(0)
  })

  it('may be any line, however it arrives', async () => {
    const text = fc.string({ unit: 'grapheme' }).filter((line) => !/[\p{Cc}]/u.test(line))
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 5 }), async (line, size) => {
        const bytes = Buffer.from(`${line}\n`)
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
          bytes.subarray(at * size, (at + 1) * size),
        )
        expect(await answerTo(...chunks)).toBe(line)
      }),
    )
  })

  it.each([
    ['a key that deletes', ['abc\u007fd', '\n'], 'abd'],
    ['a key that deletes all', ['abc\u0015xyz\r'], 'xyz'],
    ['arrows', ['ab', '\u001b[D', 'c\r'], 'abc'],
    ['lines that were pasted behind it', ['one\ntwo\nthree\n'], 'one'],
    ['Ctrl-C', ['abc\u0003'], 'interrupted'],
    ['Ctrl-D', ['\u0004'], 'interrupted'],
  ] as const)('knows %s', async (_, chunks, answer) => {
    expect(await answerTo(...chunks)).toBe(answer)
  })

  it('leaves the terminal as it was when there is too much', async () => {
    const { stdin, answer } = ask()
    stdin.type('x'.repeat(70_000))
    await expect(answer).rejects.toMatchObject({ code: 'input.size' })
    expect(stdin.modes).toEqual([true, false])
  })

  it('is not asked for where nobody can type', async () => {
    const stdin = new Keyboard()
    stdin.isTTY = false
    expect(await askHidden('Value', { terminal: recordTerminal(), stdin })).toBeUndefined()
    expect(stdin.modes).toEqual([])
  })
})
