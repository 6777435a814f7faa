import { resolve } from 'node:path'
import { AegisError } from '@aegis/core'
import { readTextFile } from './read-text-file.ts'

/** Bytes of a task's input. */
const limitBytes = 1024 * 1024

/**
 * What `--input` means: absent is `{}`; `@file` and `@-` hold JSON; everything else is JSON where
 * it parses, and plain text where not.
 * @throws AegisError `invalid`
 */
export async function parseInput(
  text: string | undefined,
  sources: { readonly cwd: string; readonly readStdin: () => Promise<string> },
): Promise<unknown> {
  if (text === undefined) return {}
  if (Buffer.byteLength(text) > limitBytes) {
    throw new AegisError('invalid', 'input.size', 'The input is larger than 1 MiB')
  }
  if (text === '@-') return parseJson(await sources.readStdin(), 'standard input')
  if (!text.startsWith('@')) return jsonOr(text)
  const path = resolve(sources.cwd, text.slice(1))
  if (text === '@') throw new AegisError('invalid', 'input.file', 'A file name must follow the @')
  return parseJson(await readTextFile(path, 'Input file', limitBytes), text.slice(1))
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function parseJson(text: string, origin: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''))
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new AegisError('invalid', 'input.json', `${origin} does not hold JSON: ${why}`, {
      cause,
      details: { help: 'text that is no JSON goes onto the command line: --input "some text"' },
    })
  }
}
