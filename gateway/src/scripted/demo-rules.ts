import { findAgentInput } from './find-agent-input.ts'
import { promptly, type ScriptedRule } from './scripted-rule.ts'

/**
 * What the demo agents need to answer sensibly without any model. Each rule looks for a distinctive
 * word of an agent's instruction, the text before the input; the last one answers all the rest.
 */
export const demoRules: readonly ScriptedRule[] = [
  answer(/\bpig[\s-]?latin\b/i, (input) => input.replace(/[a-z]+/gi, pigLatin)),
  answer(/\becho(es|ing)?\b|\brepeat\b|\bverbatim\b/i, (input) => input),
  answer(/\bgreet(s|ed|er|ing|ings)?\b/i, (input) => {
    const name = nameIn(input)
    return `Hello, ${name}! It is good to meet you. I wish you a wonderful day.`
  }),
  answer(/\bdebat(e|er|es|ing)\b|\barguments? (for|on both|in favou?r)\b/i, debate),
  answer(/\bpo(em|ems|et|ets|etry|etic)\b|\bhaiku\b|\bverse\b/i, poem),
  answer(/\bpython\b|\bcod(e|er|es|ing)\b|\bprogram(mer)?\b|\bfunction\b/i, code),
  { match: (text) => reply(fallback(text)) },
]

/** The rule for prompts whose instruction (all but the input) matches. */
function answer(instruction: RegExp, toAnswer: (input: string) => string): ScriptedRule {
  return {
    match(text) {
      const { instruction: before, input } = findAgentInput(text)
      return instruction.test(before) ? reply(toAnswer(input)) : undefined
    },
  }
}

const reply = (text: string) => ({ type: 'text', text, pace: promptly }) as const

function fallback(text: string): string {
  const topic = subjectOf(findAgentInput(text).input)
  return (
    `This is the offline scripted provider; it has no rule for "${topic}". ` +
    'For real answers, add a model provider to llm_providers in the node config ' +
    '(`aegis config generate` writes an example) and restart the daemon.'
  )
}

function nameIn(input: string): string {
  const named = /\b(?:my name is|name:|i am|i'm|call me|greet|hello|hi)\s+(\p{L}[\p{L}'-]*)/iu
  const name = named.exec(input)?.[1] ?? subjectOf(input)
  return name === '' ? 'friend' : name
}

function debate(input: string): string {
  const topic = subjectOf(input)
  return [
    `Motion: ${topic}`,
    '',
    'For:',
    '1. It answers a need that people already have, and those who tried it rarely go back.',
    '2. What it costs at first is small against what it saves once it is a habit.',
    '',
    'Against:',
    '1. The gain is uneven: some carry the cost while others see the benefit.',
    '2. It takes the place of ways that work, and these are hard to bring back.',
    '',
    'Conclusion: worth trying in a small and reversible way, with a date to judge it by.',
  ].join('\n')
}

function poem(input: string): string {
  const topic = subjectOf(input).replace(/^.*\babout\s+/i, '')
  return [
    `Of ${topic} I sing, in words both few and light,`,
    'a spark that leaves the dark a shade less deep;',
    `for ${topic} will wander through the night`,
    'and wake the quiet corners from their sleep.',
  ].join('\n')
}

function code(input: string): string {
  const words = subjectOf(input)
    .toLowerCase()
    .match(/[a-z][a-z0-9]*/g)
  const dull = /^(write|a|an|the|python|function|program|script|that|to|me|please|code|which|and)$/
  const name = (words ?? []).filter((word) => !dull.test(word)).slice(0, 4)
  const body = knownFunctions.find(({ about }) => about.test(input))
  if (body !== undefined) return body.source
  return [
    `def ${name.join('_') || 'solve'}(values):`,
    `    """${subjectOf(input).replaceAll('"', "'")}"""`,
    '    result = []',
    '    for value in values:',
    '        if value is not None:',
    '            result.append(value)',
    '    return result',
  ].join('\n')
}

const knownFunctions = [
  {
    about: /fibonacci/i,
    source: [
      'def fibonacci(n):',
      '    """Return the first n Fibonacci numbers."""',
      '    numbers, a, b = [], 0, 1',
      '    for _ in range(n):',
      '        numbers.append(a)',
      '        a, b = b, a + b',
      '    return numbers',
    ].join('\n'),
  },
  {
    about: /factorial/i,
    source: [
      'def factorial(n):',
      '    """Return n! for a whole number n >= 0."""',
      '    product = 1',
      '    for factor in range(2, n + 1):',
      '        product *= factor',
      '    return product',
    ].join('\n'),
  },
  {
    about: /\bprimes?\b/i,
    source: [
      'def is_prime(n):',
      '    """Tell whether n is a prime number."""',
      '    if n < 2:',
      '        return False',
      '    return all(n % d for d in range(2, int(n ** 0.5) + 1))',
    ].join('\n'),
  },
  {
    about: /\brevers(e|es|ing)\b/i,
    source: [
      'def reverse(text):',
      '    """Return text with its characters in reverse order."""',
      '    return text[::-1]',
    ].join('\n'),
  },
  {
    about: /\bsort(s|ed|ing)?\b/i,
    source: [
      'def sort(values):',
      '    """Return values in ascending order, by insertion."""',
      '    result = []',
      '    for value in values:',
      '        at = sum(1 for other in result if other <= value)',
      '        result.insert(at, value)',
      '    return result',
    ].join('\n'),
  },
]

function pigLatin(word: string): string {
  const lower = word.toLowerCase()
  const [, head = '', tail = ''] = /^([^aeiouy]*qu|y(?=[aeiou])|[^aeiouy]*)(.*)$/.exec(lower) ?? []
  const said = head === '' ? `${lower}way` : `${tail}${head}ay`
  return /^[A-Z]/.test(word) ? said.charAt(0).toUpperCase() + said.slice(1) : said
}

/** The input as one short line. */
function subjectOf(input: string): string {
  const line = input
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[.?!]+$/, '')
  return line.length <= 120 ? line : `${line.slice(0, 120)}…`
}
