import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseAllDocuments,
} from 'yaml'
import {
  type Finding,
  formatPath,
  type InputPath,
  type Place,
  type Problem,
  quote,
} from './input-error.ts'
import {
  badKey,
  isUsableKey,
  type Json,
  type LocatedValue,
  maxDepth,
  maxValues,
  notText,
  type SourceDocument,
  tooLarge,
} from './source-document.ts'

/**
 * Reads one YAML 1.2 document (JSON is YAML), with the place of every value. What is wrong with
 * the text itself becomes problems; it never throws, whatever the text. Aliases are followed
 * within the bounds of every document; keys and unquoted numbers keep their letters.
 */
export function readYaml(text: string, maxCharacters: number): SourceDocument {
  if (text.length > maxCharacters) return nothing(tooLong(maxCharacters))
  const lines = new LineCounter()
  const documents = parse(text, lines)
  if (documents === undefined) return nothing(tooLarge)
  const [first, second] = documents
  const problems = syntaxProblems(documents, lines)
  if (problems.length > 0) return { root: { value: null }, problems }
  if (first === undefined || first.contents === null) return nothing(empty)
  if (second !== undefined) return nothing(severalDocuments, placeOf(second.range[0], lines))
  return new Reader(first, lines).read(first.contents)
}

/** Turns nodes of one document into located values. */
class Reader {
  readonly #document: Document.Parsed
  readonly #lines: LineCounter
  readonly #problems: Problem[] = []
  #left = maxValues

  constructor(document: Document.Parsed, lines: LineCounter) {
    this.#document = document
    this.#lines = lines
  }

  read(contents: Node): SourceDocument {
    const root = this.#value(contents, [], { line: 1, column: 1 })
    if (root.value === null && this.#problems.length === 0) return nothing(empty)
    return { root, problems: this.#problems }
  }

  #value(node: unknown, path: InputPath, place: Place): LocatedValue {
    if (--this.#left < 0 || path.length > maxDepth) return this.#refuse(path, place, tooLarge)
    if (isAlias(node)) {
      const target = node.resolve(this.#document)
      if (target === undefined) return this.#refuse(path, place, noAnchor(node.source))
      return this.#value(target, path, place)
    }
    if (isMap(node)) return this.#map(node.items, path, place)
    if (isSeq(node)) return this.#list(node.items, path, place)
    if (!isScalar(node)) return { value: null, place }
    const { value, source } = node
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) return { value: source ?? String(value), place }
      return { value, place, literal: source }
    }
    if (typeof value === 'string') {
      return value.isWellFormed() ? { value, place } : this.#refuse(path, place, notText)
    }
    return { value: typeof value === 'boolean' ? value : null, place }
  }

  #map(
    items: readonly { key: unknown; value: unknown }[],
    path: InputPath,
    place: Place,
  ): LocatedValue {
    const value: { [key: string]: Json } = {}
    const children = new Map<string, LocatedValue>()
    for (const pair of items) {
      const at = this.#placeOf(pair.key) ?? place
      const key = this.#key(pair.key)
      if (key === undefined || !isUsableKey(key)) {
        this.#refuse(path, at, badKey)
        continue
      }
      const inner = [...path, key]
      const earlier = children.get(key)
      if (earlier !== undefined) {
        this.#refuse(inner, at, duplicateKey(key, earlier.place))
        continue
      }
      const child = this.#value(pair.value, inner, at)
      children.set(key, child)
      value[key] = child.value
      if (this.#left < 0) break
    }
    return { value, place, children }
  }

  #list(items: readonly unknown[], path: InputPath, place: Place): LocatedValue {
    const value: Json[] = []
    const children = new Map<number, LocatedValue>()
    for (const [index, item] of items.entries()) {
      const child = this.#value(item, [...path, index], this.#placeOf(item) ?? place)
      children.set(index, child)
      value.push(child.value)
      if (this.#left < 0) break
    }
    return { value, place, children }
  }

  #key(node: unknown): string | undefined {
    const target = isAlias(node) ? node.resolve(this.#document) : node
    if (!isScalar(target)) return undefined
    if (typeof target.value === 'string') return target.value
    return target.source ?? (target.value === null ? undefined : String(target.value))
  }

  #placeOf(node: unknown): Place | undefined {
    const range = isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range : null
    return range ? placeOf(range[0], this.#lines) : undefined
  }

  #refuse(path: InputPath, place: Place, finding: Finding): LocatedValue {
    if (finding !== tooLarge) {
      this.#problems.push({ path: formatPath(path), ...place, ...finding })
    } else if (!this.#problems.some(({ message }) => message === tooLarge.message)) {
      this.#problems.push({ path: '', ...place, ...finding })
    }
    return { value: null, place }
  }
}

/** Pieces of text (marks, words, spaces): a few for each value. */
const maxLexemes = 5 * maxValues

function parse(text: string, lines: LineCounter): readonly Document.Parsed[] | undefined {
  let lexemes = 0
  // The lexer is lazy and quick; what it lets through costs the parser a bounded time.
  for (const _ of new Lexer().lex(text)) if (++lexemes > maxLexemes) return undefined
  try {
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      // It compares each key with each; ours is found by a map.
      uniqueKeys: false,
      logLevel: 'error',
    })
    return 'empty' in documents ? [] : documents
  } catch (error) {
    if (error instanceof RangeError) return undefined // It descends by recursion.
    throw error
  }
}

function placeOf(offset: number, lines: LineCounter): Place {
  const { line, col: column } = lines.linePos(offset)
  return { line, column }
}

function nothing(finding: Finding, place: Place = { line: 1, column: 1 }): SourceDocument {
  return { root: { value: null }, problems: [{ path: '', ...place, ...finding }] }
}

const empty: Finding = {
  message: 'The document is empty.',
  remedy:
    'Start from an example: see demo-agents/ for manifests, `aegis config generate` for a config.',
}

const severalDocuments: Finding = {
  message: 'A second document starts here.',
  remedy: 'Keep one document in a file; remove the line with ---.',
}

const tooLong = (maxCharacters: number): Finding => ({
  message: `The document has more than ${maxCharacters} characters.`,
  remedy: 'Make it smaller; large data belongs into the input of a task.',
})

const duplicateKey = (key: string, place: Place | undefined): Finding => ({
  message: `The key ${quote(key)} is given twice${place ? ` (first in line ${place.line})` : ''}.`,
  remedy: 'Keep one of them.',
})

const noAnchor = (name: string): Finding => ({
  message: `There is no anchor &${name} before the alias *${name}.`,
  remedy: 'Write the value itself, or quote it if the asterisk is meant.',
})

const remedies: ReadonlyMap<string, string> = new Map([
  ['TAB_AS_INDENT', 'Indent with spaces.'],
  ['BAD_INDENT', 'Close each bracket, and indent all keys of one map alike, with spaces.'],
  [
    'BLOCK_AS_IMPLICIT_KEY',
    'Put a nested map on lines of its own, or quote the text that holds ": ".',
  ],
  ['MISSING_CHAR', 'Close what was opened: a quote, a bracket, or a key with its colon.'],
  ['BAD_ALIAS', 'Quote the text if the asterisk is meant.'],
  ['TAG_RESOLVE_FAILED', 'Remove the tag (the word that begins with !).'],
  ['BAD_DIRECTIVE', 'Remove the line that begins with %.'],
  ['IMPOSSIBLE', 'Quote the text.'],
  ['BAD_SCALAR_START', 'Put the text in quotes.'],
  ['UNEXPECTED_TOKEN', 'Check indentation and quotes here.'],
])

/** The first of each line: what follows it there is mostly a consequence. */
function syntaxProblems(documents: readonly Document.Parsed[], lines: LineCounter): Problem[] {
  const byLine = new Map<number, Problem>()
  for (const { code, message, pos } of documents.flatMap((one) => [
    ...one.errors,
    ...one.warnings,
  ])) {
    const place = placeOf(pos[0], lines)
    if (byLine.has(place.line)) continue
    byLine.set(place.line, { path: '', ...place, ...syntaxFinding(code, message) })
  }
  return [...byLine.values()]
}

function syntaxFinding(code: string, message: string): Finding {
  if (message.includes('call stack')) return tooLarge
  const sentence = `Not valid YAML: ${message.replace(/\s+/g, ' ').trim()}`
  return {
    message: /[.?!]$/.test(sentence) ? sentence : `${sentence}.`,
    remedy: remedies.get(code) ?? 'Check indentation, quotes and colons here.',
  }
}
