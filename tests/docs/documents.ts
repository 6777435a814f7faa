import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A page for users, and where it lies below the root. */
export interface Page {
  readonly path: string
  readonly text: string
}

export interface FencedBlock {
  /** Of its first line of content, counted from 1. */
  readonly line: number
  /** What follows the fence: `sh`, `yaml manifest`. */
  readonly info: string
  readonly text: string
}

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export const readPage = (path: string): Page => ({
  path,
  text: readFileSync(join(root, path), 'utf8'),
})

/** README.md, and every page below docs/. */
export function readPages(): readonly Page[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  const pages = docs.filter((name) => name.endsWith('.md')).map((name) => join('docs', name))
  return ['README.md', ...pages.sort()].map(readPage)
}

/** Blocks between fences, and blocks that are indented by four spaces after an empty line. */
export function fencedBlocks({ text }: Page): readonly FencedBlock[] {
  const blocks: FencedBlock[] = []
  let open: { line: number; info: string; lines: string[] } | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^```(.*)$/.exec(line)
    if (fence === null) open?.lines.push(line)
    else if (open === undefined) open = { line: index + 2, info: fence[1]?.trim() ?? '', lines: [] }
    else {
      blocks.push({ line: open.line, info: open.info, text: `${open.lines.join('\n')}\n` })
      open = undefined
    }
  }
  return blocks
}

/** The page without what stands between fences, line for line. */
export function prose({ text }: Page): string {
  let inside = false
  const keep = (line: string): string => {
    if (line.startsWith('```')) {
      inside = !inside
      return ''
    }
    return inside ? '' : line
  }
  return text.split('\n').map(keep).join('\n')
}

/** The rows of all tables, each as its cells; heads and rulers left out. */
export function tableRows(page: Page): readonly (readonly string[])[] {
  const lines = prose(page).split('\n')
  return lines.flatMap((line, index) => {
    if (!line.startsWith('|') || isRuler(line) || isRuler(lines[index + 1] ?? '')) return []
    return [splitRow(line)]
  })
}

const isRuler = (line: string): boolean => /^\|(\s*:?-+:?\s*\|)+$/.test(line)

const splitRow = (line: string): readonly string[] =>
  line
    .slice(1, line.lastIndexOf('|'))
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'))
