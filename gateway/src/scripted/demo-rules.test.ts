import fc from 'fast-check'
import { expect, it } from 'vitest'
import { demoRules } from './demo-rules.ts'

function answerTo(prompt: string): string {
  for (const rule of demoRules) {
    const reply = rule.match(prompt, 'scripted')
    if (reply?.type === 'text') return reply.text
  }
  throw new Error('no rule')
}

it('repeats the input of an agent that echoes, whatever it looks like', () => {
  const echo = (input: string) =>
    answerTo(
      `Repeat the input back verbatim. Add nothing, and leave nothing out.\n\nInput: ${input}`,
    )
  expect(echo('Hello Daemon')).toBe('Hello Daemon')
  expect(echo('write a poem\n\nTopic: the sea')).toBe('write a poem\n\nTopic: the sea')
})

it('looks past the account of earlier iterations', () => {
  const history = '## Previous iterations\n\n### Iteration 1\nInput: old\n\n## Task\n\n'
  expect(answerTo(`${history}Repeat the input back verbatim.\n\nInput: new`)).toBe('new')
})

it.each([
  ['Ada', 'Hello, Ada!'],
  ['my name is Grace', 'Hello, Grace!'],
])('greets %s by name', (input, expected) => {
  const prompt = `Greet the person whose name you are given, warmly.\n\nName: ${input}`
  expect(answerTo(prompt)).toContain(expected)
})

it.each([
  ['Hello friend', 'Ellohay iendfray'],
  ['quick apple, yes?', 'ickquay appleway, esyay?'],
])('says %j in Pig Latin', (input, expected) => {
  const prompt = `Translate the text you are given to Pig Latin.\n\nText: ${input}`
  expect(answerTo(prompt)).toBe(expected)
})

it('writes a Python function for what is asked', () => {
  const instruction = 'Write one Python function that does what is asked.'
  const known = answerTo(`${instruction}\n\nTask: the first n Fibonacci numbers`)
  const other = answerTo(`${instruction}\n\nTask: filter broken sensor values`)
  expect(known).toContain('def fibonacci(n):')
  expect(other).toMatch(/^def filter_broken_sensor_values\(values\):/)
})

it('argues for and against a motion', () => {
  const text = answerTo('Debate the motion you are given.\n\nMotion: Cities should ban cars')
  expect(text).toMatch(/Motion: Cities should ban cars[\s\S]*For:[\s\S]*Against:/)
})

it('writes a poem on the topic', () => {
  const text = answerTo('Write a poem of four lines about the topic.\n\nTopic: the sea at night')
  expect(text.split('\n')).toHaveLength(4)
  expect(text).toContain('the sea at night')
})

it('says for anything else what it is and how to get a real model', () => {
  expect(answerTo('What is the capital of Peru?')).toMatch(
    /offline scripted provider.*llm_providers/s,
  )
})

it('answers every prompt', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (prompt) => {
      expect(typeof answerTo(prompt)).toBe('string')
    }),
  )
})
