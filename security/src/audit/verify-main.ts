// `aegis-audit-verify`: checks an export or a proof of an audit with nothing but its public key. It
// shares no code with the rest of AEGIS but the formats and the mathematics of the log.
import { readFileSync, statSync } from 'node:fs'
import {
  AegisError,
  type AuditReport,
  checkProof,
  type NoteKey,
  parseVerifierKey,
  toBase64,
} from '@aegis/core/audit'
import { auditCrypto } from './audit-crypto.ts'
import { verifyExport } from './verify-export.ts'

const usage = `Usage: aegis-audit-verify --key <key> [--witness <checkpoint>] [--from <index>] [--json] <directory>
       aegis-audit-verify --key <key> [--witness <checkpoint>] [--entry <file>] [--json] --proof <file>

Checks an export of an audit (C2SP tlog-tiles), or a proof (C2SP tlog-proof), with nothing but the
public key of the log.

  --key <key>         the line that aegis audit key prints, or a file with it
  --witness <file>    a checkpoint that was kept elsewhere: the log must begin with what it says
  --from <index>      entries before this one were left out of the export
  --proof <file>      check this proof
  --entry <file>      the entry that the proof is of, when the log had dropped it
  --json              print the report as JSON

Exit codes: 0 all is as it was appended, 1 it is not, 2 it could not be checked.
`

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(usage)
    return 0
  }
  const options = parse(argv)
  const key = parseVerifierKey(textOrFile(options.key), auditCrypto.sha256)
  const witnesses = options.witnesses.map((path) => readFile(path).toString('utf8'))
  return options.proof === undefined
    ? checkDirectory(options, key, witnesses)
    : checkOneProof(options.proof, options, key)
}

async function checkDirectory(
  { directory, from, json }: Options,
  key: NoteKey,
  witnesses: readonly string[],
): Promise<number> {
  if (directory === undefined) throw new Usage('Name the directory of an export, or --proof.')
  const report = await verifyExport({
    directory,
    key,
    witnesses,
    from,
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    signal: new AbortController().signal,
  })
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${describe(report)}\n`)
  return report.isSound ? 0 : 1
}

function checkOneProof(path: string, { entry, json }: Options, key: NoteKey): number {
  const body = entry === undefined ? undefined : readFile(entry)
  const proven = checkProof(readFile(path).toString('utf8'), key, auditCrypto, body)
  const { index, checkpoint, body: found, leaf } = proven
  const text = found === undefined ? undefined : new TextDecoder().decode(found)
  if (json) {
    const shown = { index, origin: checkpoint.origin, size: checkpoint.size, hash: toBase64(leaf) }
    process.stdout.write(`${JSON.stringify({ ...shown, entry: text }, null, 2)}\n`)
    return 0
  }
  const what = text === undefined ? `the entry with the hash ${toBase64(leaf)}` : printable(text)
  process.stdout.write(
    `Entry ${index} of ${checkpoint.origin}, which had ${checkpoint.size} entries, is ${what}\n`,
  )
  return 0
}

function describe({ origin, size, checked, dropped, isSound, findings }: AuditReport): string {
  const kept = dropped === 0 ? '' : `; the bodies of ${dropped} were dropped, and their hashes hold`
  const verdict = isSound
    ? `${origin}: all ${size} entries are as they were appended (${checked} read${kept})`
    : `${origin}: this is not what was appended`
  return [verdict, ...findings.map(({ message }) => `  ${printable(message)}`)].join('\n')
}

interface Options {
  readonly key: string
  readonly directory: string | undefined
  readonly proof: string | undefined
  readonly entry: string | undefined
  readonly witnesses: readonly string[]
  readonly from: number
  readonly json: boolean
}

class Usage extends Error {}

/** What the input is, not that it could not be read. */
const wrongCodes: ReadonlySet<string> = new Set([
  'audit.proof-wrong',
  'audit.proof',
  'audit.signature',
  'audit.note',
  'audit.checkpoint',
])

function parse(argv: readonly string[]): Options {
  const found = new Map<string, string[]>()
  const operands: string[] = []
  const takesValue = new Set(['--key', '--witness', '--from', '--proof', '--entry'])
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? ''
    const [name = '', attached] = word.split(/=(.*)/s)
    if (word === '--json') found.set(word, [])
    else if (takesValue.has(name)) {
      const value = attached ?? argv[++at]
      if (value === undefined) throw new Usage(`${name} needs a value. See --help.`)
      found.set(name, [...(found.get(name) ?? []), value])
    } else if (word.startsWith('-')) throw new Usage(`There is no flag ${word}. See --help.`)
    else operands.push(word)
  }
  const [key] = found.get('--key') ?? []
  if (key === undefined) throw new Usage('Name the public key of the log with --key. See --help.')
  if (operands.length > 1) throw new Usage('Name one directory. See --help.')
  const from = found.get('--from')?.at(-1) ?? '0'
  if (!/^\d{1,15}$/.test(from)) throw new Usage('--from is the index of an entry, for example 256.')
  return {
    key,
    directory: operands[0],
    proof: found.get('--proof')?.at(-1),
    entry: found.get('--entry')?.at(-1),
    witnesses: found.get('--witness') ?? [],
    from: Number(from),
    json: found.has('--json'),
  }
}

/** A key may be given as it is, or by the name of its file. */
const textOrFile = (text: string): string =>
  /^[^+]+\+[0-9a-f]{8}\+/.test(text) ? text : readFile(text).toString('utf8')

const maxFileBytes = 4_000_000

function readFile(path: string): Buffer {
  try {
    if (statSync(path).size > maxFileBytes) throw new Usage(`${path} is too large to be one.`)
    return readFileSync(path)
  } catch (error) {
    if (error instanceof Usage) throw error
    throw new Usage(`${path} cannot be read: ${error instanceof Error ? error.message : error}`)
  }
}

/** Entries hold words of agents, which a terminal must not obey. */
const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  text.replaceAll(/[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')

// Last, when all above is there.
process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  if (!(error instanceof AegisError) && !(error instanceof Usage)) throw error
  process.stderr.write(`error: ${error.message}\n`)
  return error instanceof AegisError && wrongCodes.has(error.code) ? 1 : 2
})
