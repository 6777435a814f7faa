import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseInput } from './parse-input.ts'

const sources = { cwd: '/nowhere', readStdin: async () => '{"from":"stdin"}' }

describe('parseInput', () => {
  it('is an empty object when nothing was given', async () => {
    expect(await parseInput(undefined, sources)).toEqual({})
  })

  it('takes JSON as JSON and everything else as text', async () => {
    expect(await parseInput('{"a":[1]}', sources)).toEqual({ a: [1] })
    expect(await parseInput('42', sources)).toBe(42)
    expect(await parseInput('"quoted"', sources)).toBe('quoted')
    expect(await parseInput('Hello Daemon', sources)).toBe('Hello Daemon')
    expect(await parseInput('{broken', sources)).toBe('{broken')
    expect(await parseInput('', sources)).toBe('')
  })

  it('reads JSON from standard input', async () => {
    expect(await parseInput('@-', sources)).toEqual({ from: 'stdin' })
    await expect(
      parseInput('@-', { ...sources, readStdin: async () => 'no json' }),
    ).rejects.toMatchObject({ kind: 'invalid', code: 'input.json' })
  })

  it('says which file is missing', async () => {
    await expect(parseInput('@task.json', sources)).rejects.toMatchObject({
      kind: 'invalid',
      message: 'Input file /nowhere/task.json cannot be read: there is no such file',
    })
    await expect(parseInput('@', sources)).rejects.toMatchObject({ code: 'input.file' })
  })

  it('gives back every JSON value, and every text that is none', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        expect(await parseInput(JSON.stringify(value), sources)).toEqual(
          JSON.parse(JSON.stringify(value)),
        )
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        fc.pre(!text.startsWith('@'))
        const value = await parseInput(text, sources)
        if (typeof value === 'string' && value !== text) expect(JSON.parse(text)).toBe(value)
      }),
    )
  })

  it('refuses more than a task may hold', async () => {
    await expect(parseInput('x'.repeat(1024 * 1024 + 1), sources)).rejects.toMatchObject({
      code: 'input.size',
    })
  })
})
