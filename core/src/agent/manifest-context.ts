import * as z from 'zod'
import { knownKeys, line, report, rule } from '../kernel/field.ts'
import { type Finding, quote } from '../kernel/input-error.ts'

/** Characters of all contents together; more belongs into an image or the input. */
const maxContentCharacters = 1_600_000

const landingPath = () =>
  z
    .string()
    .max(1024)
    .transform((path) => path.replace(/^(\.\/+)+/, '').replace(/\/$/, ''))
    .superRefine(rule(checkLandingPath))

/** As `landingPath`, or the folder of the manifest itself: `.`. */
const landingFolder = () =>
  z
    .string()
    .max(1024)
    .transform((path) => path.replace(/^(\.\/+)+/, '').replace(/\/$/, '') || '.')
    .superRefine(rule((path) => (path === '.' ? undefined : checkLandingPath(path))))

const description = line().optional().describe('For the reader')

const entrySchema = z.discriminatedUnion('type', [
  knownKeys({
    type: z.literal('text'),
    content: z.string().describe('The content of the file'),
    path: landingPath().optional().describe('Where it lands; default `context/<position>.txt`'),
    encoding: z.enum(['utf-8', 'base64']).default('utf-8').describe('How `content` is written'),
    description,
  }),
  knownKeys({
    type: z.literal('file'),
    path: landingPath().describe('A file beside the manifest, which lands at the same path'),
    description,
  }),
  knownKeys({
    type: z.literal('directory'),
    path: landingFolder().describe('A folder beside the manifest, which lands at the same path'),
    description,
  }),
  knownKeys({
    type: z.literal('url'),
    url: z
      .url({ protocol: /^https?$/, error: 'Write a full https:// URL.' })
      .describe('Not fetched yet'),
    description,
  }),
])

export const contextSchema = z
  .array(entrySchema)
  .max(1000)
  .superRefine((entries, context) => {
    let characters = 0
    const taken = new Map<string, Landing>()
    for (const [index, entry] of entries.entries()) {
      if (entry.type === 'text') characters += entry.content.length
      const finding = checkEncoding(entry) ?? checkTaken(taken, pathOf(entry, index), entry, index)
      if (finding !== undefined) report(context, finding, [index])
    }
    if (characters <= maxContentCharacters) return
    report(context, {
      message: `The contents have more than ${maxContentCharacters} characters together.`,
      remedy: 'Move large files into an image, or into the input of a task.',
    })
  })
  .transform((entries) =>
    entries.map((entry, index) =>
      entry.type === 'text' ? { ...entry, path: pathOf(entry, index) ?? '' } : entry,
    ),
  )

type Entry = z.output<typeof entrySchema>

function pathOf(entry: Entry, index: number): string | undefined {
  if (entry.type === 'url') return undefined
  return entry.type === 'text' ? (entry.path ?? `context/${index + 1}.txt`) : entry.path
}

function checkLandingPath(path: string): Finding | undefined {
  const shown = quote(path)
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) {
    return {
      message: `${shown} is an absolute path.`,
      remedy: 'Write it relative to the manifest; it lands in /workspace.',
    }
  }
  if (path.split('/').includes('..')) {
    return {
      message: `${shown} leaves the folder of the manifest.`,
      remedy: 'Put the file beside the manifest, and leave out the "..".',
    }
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is refused
  if (/[\\\u0000-\u001f\u007f]/.test(path)) {
    return {
      message: `${shown} holds a backslash or a control character.`,
      remedy: 'Rename the file.',
    }
  }
  if (path.split('/').some((part) => part === '' || part === '.')) {
    return { message: `${shown} is not a path.`, remedy: 'Write it like data/input.csv.' }
  }
  return undefined
}

function checkEncoding(entry: Entry): Finding | undefined {
  if (entry.type !== 'text' || entry.encoding !== 'base64') return undefined
  if (entry.content.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(entry.content))
    return undefined
  return {
    message: 'The content is not base64.',
    remedy: 'Encode it with base64 -w0, or remove encoding: base64.',
  }
}

/** Two entries cannot land at one path, nor one below a file. What lands is noted in `taken`. */
function checkTaken(
  taken: Map<string, Landing>,
  path: string | undefined,
  { type }: Entry,
  index: number,
): Finding | undefined {
  if (path === undefined) return undefined
  const folders = path.split('/').map((_, end, parts) => parts.slice(0, end).join('/'))
  const same = taken.get(path)
  const clash =
    same !== undefined && (same.kind !== 'parent' || type !== 'directory')
      ? same
      : folders.map((folder) => taken.get(folder)).find((other) => other?.kind === 'file')
  taken.set(path, { kind: type === 'directory' ? 'folder' : 'file', index })
  for (const folder of folders) {
    if (folder !== '' && !taken.has(folder)) taken.set(folder, { kind: 'parent', index })
  }
  if (clash === undefined) return undefined
  return {
    message: `${quote(path)} cannot land beside spec.context[${clash.index}], which takes that path.`,
    remedy: 'Give each entry a path of its own.',
  }
}

/** What stands at a path: an entry's file or folder, or a folder that an entry needs. */
interface Landing {
  readonly kind: 'file' | 'folder' | 'parent'
  readonly index: number
}
