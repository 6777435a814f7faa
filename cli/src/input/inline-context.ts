import { posix } from 'node:path'
import { AegisError, type AgentManifest, type ManifestContext } from '@aegis/core'
import { LineCounter, parseDocument } from 'yaml'
import { type ContextBudget, type ContextFile, readContextFiles } from './read-context-files.ts'

/** All context files of one agent together. */
const contextLimits = { bytes: 1024 * 1024, files: 1000 }

export interface ManifestSource {
  /** The text that the manifest was parsed from, to name lines. */
  readonly source: string
  /** How the user calls it. */
  readonly origin: string
  /** Where its relative paths start. */
  readonly folder: string
}

/**
 * Turns `file` and `directory` entries of a manifest's context into `text` entries: the node never
 * reads files of whoever deploys. 1 MiB and 1000 files in all.
 * @throws AegisError `invalid` a file that is missing, special, outside the folder or too much ·
 * `unsupported` a `url`
 */
export async function inlineContext(
  manifest: AgentManifest,
  source: ManifestSource,
): Promise<AgentManifest> {
  if (manifest.spec.context.every((entry) => entry.type === 'text')) return manifest
  const context: ManifestContext[] = []
  const budget: ContextBudget = { ...contextLimits }
  for (const [index, entry] of manifest.spec.context.entries()) {
    try {
      context.push(...(await inlineEntry(entry, source.folder, budget)))
    } catch (error) {
      if (!(error instanceof AegisError)) throw error
      const { kind, code, message, details } = error
      const place = `${source.origin}${lineOf(source.source, index)}`
      throw new AegisError(kind, code, `${place}: spec.context[${index}]: ${message}`, {
        cause: error,
        details,
      })
    }
  }
  return { ...manifest, spec: { ...manifest.spec, context } }
}

async function inlineEntry(
  entry: ManifestContext,
  folder: string,
  budget: ContextBudget,
): Promise<readonly ManifestContext[]> {
  switch (entry.type) {
    case 'text':
      return [entry]
    case 'file':
    case 'directory': {
      const files = await readContextFiles(folder, entry, budget)
      return files.map((file) => textEntry(file, entry.description))
    }
    case 'url':
      throw new AegisError(
        'unsupported',
        'context.url',
        `${entry.url} would need a connection to the network, and this version of AEGIS has none to offer`,
        { details: { help: 'download it, and name the copy with type: file' } },
      )
  }
}

function textEntry(file: ContextFile, description: string | undefined): ManifestContext {
  const text = asPlainText(file.content)
  return {
    type: 'text',
    path: posix.normalize(file.path),
    ...(description === undefined ? {} : { description }),
    ...(text === undefined
      ? { content: file.content.toString('base64'), encoding: 'base64' }
      : { content: text, encoding: 'utf-8' }),
  }
}

/** Undefined for what is no UTF-8, or would grow sixfold as JSON because of its control characters. */
function asPlainText(content: Buffer): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them
    return /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text) ? undefined : text
  } catch {
    return undefined
  }
}

/** `:12`, or nothing where the entry cannot be found again. */
function lineOf(source: string, index: number): string {
  const lines = new LineCounter()
  const document = parseDocument(source, { lineCounter: lines })
  for (const path of [
    ['spec', 'context', index],
    ['context', index],
    ['agent', 'context', index],
  ]) {
    const node = document.getIn(path, true)
    if (node === null || typeof node !== 'object' || !('range' in node)) continue
    if (Array.isArray(node.range)) return `:${lines.linePos(Number(node.range[0])).line}`
  }
  return ''
}
