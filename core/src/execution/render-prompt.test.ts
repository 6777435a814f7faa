import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inputText, renderPrompt } from './render-prompt.ts'

const context = { instruction: 'Be kind.', input: 'Ada', iteration: 1, history: [] }

describe('a prompt', () => {
  it('contains instruction, input and the number of the iteration', () => {
    const template = '{{instruction}} {{input}} #{{iteration_number}}'
    expect(renderPrompt({ ...context, template })).toBe('Be kind. Ada #1')
  })

  it('is not escaped for HTML', () => {
    const input = `<b> & "quotes" 'single' \`tick\` =`
    expect(renderPrompt({ ...context, input, template: '{{input}}' })).toBe(input)
  })

  it('renders a variable that is not set as nothing', () => {
    expect(renderPrompt({ ...context, template: '[{{agentskills}}]' })).toBe('[]')
  })

  it('tells an iteration what went wrong in the one before', () => {
    const failure = { cause: 'exit_code', message: 'It failed.' } as const
    const history = [{ iteration: 1, output: 'half', failure }]
    const template = '{{previous_error}} {{previous_output}}'
    expect(renderPrompt({ ...context, history, template })).toBe('It failed. half')
  })

  it('refuses a template that does not compile, and says which field to mend', () => {
    expect(() => renderPrompt({ ...context, template: '{{#if}' })).toThrow(
      /spec\.task\.prompt_template/,
    )
  })

  it('cannot be used to reach the prototype of things', () => {
    const template = '{{input.constructor.name}}{{constructor.constructor}}'
    expect(renderPrompt({ ...context, template })).toBe('')
  })

  it('passes any text through unchanged', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (input) => {
        expect(renderPrompt({ ...context, input, template: '{{input}}' })).toBe(input)
      }),
    )
  })
})

describe('the text of an input', () => {
  it.each([
    ['a string', 'plain', 'plain'],
    ['an empty object', {}, ''],
    ['an object with input', { input: 'inner' }, 'inner'],
    ['an object with workflow_input', { workflow_input: 'w', input: 'i' }, 'w'],
    ['another object', { a: 1 }, '{\n  "a": 1\n}'],
    ['a number', 7, '7'],
    ['a list', [1, 2], '[1,2]'],
  ])('is, for %s, what a person would expect', (_kind, input, text) => {
    expect(inputText(input)).toBe(text)
  })
})
