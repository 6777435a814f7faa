import { makeProgram } from '@aegis/cli'
import { expect, it } from 'vitest'
import { fencedBlocks, prose, readPages } from './documents.ts'

interface Line {
  readonly place: string
  readonly command: string
}

const names: ReadonlySet<string> = new Set(
  makeProgram({ version: '0.0.0', run: async () => undefined }).commands.flatMap((group) =>
    group.commands.map((command) => `aegis ${group.name()} ${command.name()}`),
  ),
)

const lines: readonly Line[] = readPages().flatMap((page) => {
  const blocks = fencedBlocks(page).flatMap(({ info, line, text }) =>
    linesOf(text, info).map((command) => ({ place: `${page.path}:${line}`, command })),
  )
  const spans = [...prose(page).matchAll(/(?<!`)`((?:sudo |npx )*aegis [a-z-][^`]*)`(?!`)/g)]
    .map(([, command = '']) => command)
    .filter((command) => !isForm(command) && !isName(command))
  return [...blocks, ...spans.map((command) => ({ place: page.path, command }))]
})

it.each(lines)('$place: $command', async ({ command }) => {
  await expect(parses(command)).resolves.toBe(true)
})

it('refuses what the command does not know', async () => {
  expect(lines.length).toBeGreaterThan(50)
  await expect(parses('aegis task execute echo --inptu Hello')).rejects.toThrow('--inptu')
  await expect(parses('aegis agent deplyo agent.yaml')).rejects.toThrow('deplyo')
  await expect(parses('aegis task execute')).rejects.toThrow('agent')
})

/** The command lines of a block: all of a script; of a transcript, what follows the prompt. */
function linesOf(text: string, info: string): readonly string[] {
  const all = text.replaceAll('\\\n', ' ').split('\n')
  const typed =
    info === 'sh' ? all : all.flatMap((line) => (line.startsWith('$ ') ? [line.slice(2)] : []))
  return typed.filter((line) => /^(?:[\w-]+ .*)?\baegis /.test(line) && !isForm(line))
}

/** Describes a command, rather than being one: `aegis completion <shell>`, `… [flags]`. */
function isForm(line: string): boolean {
  return /\[\w+\]|<shell>/.test(line)
}

/** In a sentence, a command may be called by its name alone: `aegis task status`. */
function isName(line: string): boolean {
  return names.has(line.replace(/^npx /, ''))
}

/** Whether the real command would run; nothing is run. */
async function parses(line: string): Promise<boolean> {
  let ran = false
  const program = makeProgram({
    version: '0.0.0',
    run: async () => {
      ran = true
    },
    output: { writeOut: () => undefined, writeErr: () => undefined },
  })
  await program.parseAsync([...wordsOf(line)], { from: 'user' }).catch((error: unknown) => {
    // What `--version` and `--help` end with.
    if (error instanceof Error && 'exitCode' in error && error.exitCode === 0) ran = true
    else throw error
  })
  return ran
}

/** The words behind `aegis`, as a shell would take them, up to a comment, a pipe or a file. */
function wordsOf(line: string): readonly string[] {
  const words = [...line.matchAll(/"((?:\\.|[^"])*)"|'([^']*)'|(\S+)/g)]
  const plain = words.map(([, double, single, bare]) => double ?? single ?? bare ?? '')
  // The last of several: the service of compose.yaml has the name of the command.
  const start = plain.findIndex((word, at) => word === 'aegis' && plain[at + 1] !== 'aegis') + 1
  const end = plain.findIndex((word, index) => index >= start && /^(?:#|\||&&|;|<$)/.test(word))
  return plain.slice(start, end === -1 ? undefined : end)
}
