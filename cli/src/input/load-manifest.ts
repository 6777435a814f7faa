import { dirname, resolve } from 'node:path'
import type { AgentManifest } from '@aegis/core'
import { inlineContext } from './inline-context.ts'
import { readTextFile } from './read-text-file.ts'

const limitBytes = 1024 * 1024

/**
 * Reads a manifest, checks it, and puts the files that its context names into it, so that what is
 * deployed is whole. Paths in it are relative to the manifest; `-` reads standard input.
 * @throws AegisError `invalid`, with line and column · `unsupported` a context of type `url`
 */
export async function loadManifest(
  path: string,
  sources: { readonly cwd: string; readonly readStdin: () => Promise<string> },
): Promise<AgentManifest> {
  const { parseManifest } = await import('@aegis/core')
  const file = resolve(sources.cwd, path)
  const source =
    path === '-' ? await sources.readStdin() : await readTextFile(file, 'Manifest', limitBytes)
  const origin = path === '-' ? 'standard input' : path
  const manifest = parseManifest(source, { file: origin })
  return inlineContext(manifest, {
    source,
    origin,
    folder: path === '-' ? sources.cwd : dirname(file),
  })
}

/** Names are `a-z 0-9 -`, so whatever holds a dot or a slash is a path. */
export const isManifestPath = (agent: string): boolean => agent === '-' || /[./\\]/.test(agent)
