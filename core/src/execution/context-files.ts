import type { AgentManifest } from '../agent/agent-manifest.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { SandboxFile } from '../sandbox/sandbox.ts'

/**
 * The files of `spec.context`, below /workspace. Entries that name a file, a directory or a URL
 * are read by the client at deploy; one that is still there cannot be honoured.
 * @throws AegisError `unsupported` / `context.unresolved`
 */
export function contextFiles(manifest: AgentManifest): readonly SandboxFile[] {
  return manifest.spec.context.map((entry, index) => {
    if (entry.type !== 'text') {
      throw new AegisError(
        'unsupported',
        'context.unresolved',
        `spec.context[${index}] is of type ${entry.type}, which only the client can read. Deploy with the aegis command, or send its content as type text with a path.`,
      )
    }
    const path = entry.path ?? `context/${index + 1}.txt`
    return { path: `/workspace/${path}`, content: decode(entry.content, entry.encoding) }
  })
}

function decode(content: string, encoding: 'utf-8' | 'base64'): Uint8Array {
  if (encoding === 'utf-8') return new TextEncoder().encode(content)
  return Uint8Array.from(atob(content), (character) => character.charCodeAt(0))
}
