import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { AegisError, type AgentManifest } from '@aegis/core'
import type { CommandContext } from '../program/command-context.ts'
import { loadManifest } from './load-manifest.ts'
import { errnoOf, readTextFile } from './read-text-file.ts'

/** A manifest, and the signed note that holds the same where there is one. */
export interface LoadedManifest {
  readonly manifest: AgentManifest
  readonly signed: string | undefined
}

export const signedSuffix = '.signed'
const limitBytes = 2 * 1024 * 1024

/**
 * Reads a manifest with what `aegis agent sign` put beside it: `agent.yaml` with
 * `agent.yaml.signed`, or the latter alone.
 * @throws AegisError as `loadManifest` · `conflict` / `manifest.changed` · `invalid` / `manifest.note`
 */
export async function loadSigned(
  path: string,
  context: Pick<CommandContext, 'cwd' | 'readStdin'>,
): Promise<LoadedManifest> {
  const { readSignedManifest, sameManifest } = await import('@aegis/core')
  if (path.endsWith(signedSuffix)) {
    const signed = await readNote(resolve(context.cwd, path))
    return { manifest: readSignedManifest(signed), signed }
  }
  const manifest = await loadManifest(path, context)
  const beside = resolve(context.cwd, `${path}${signedSuffix}`)
  if (path === '-' || !(await exists(beside))) return { manifest, signed: undefined }
  const signed = await readNote(beside)
  if (sameManifest(readSignedManifest(signed), manifest)) return { manifest, signed }
  throw new AegisError(
    'conflict',
    'manifest.changed',
    `${path}, or a file of its context, was changed since it was signed`,
    {
      details: {
        help: `sign it again: aegis agent sign ${path} --key <key>; or remove ${path}${signedSuffix} to deploy it unsigned`,
      },
    },
  )
}

const readNote = (path: string): Promise<string> =>
  readTextFile(path, 'Signed manifest', limitBytes)

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false
    throw error
  }
}
