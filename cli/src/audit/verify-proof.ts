import { toBase64 } from '@aegis/core/audit'
import { auditTools } from '@aegis/daemon'
import { readTextFile } from '../input/read-text-file.ts'
import type { CommandContext } from '../program/command-context.ts'
import { type ExitCode, exitCodes } from '../program/exit-code.ts'
import { printFacts } from '../terminal/print-facts.ts'
import { sanitise } from '../terminal/sanitise.ts'

const maxProofBytes = 2 * 1024 * 1024

/** @throws AegisError `invalid` when it proves nothing */
export async function verifyProof(
  { terminal, settings }: CommandContext,
  path: string,
  givenKey: string | undefined,
): Promise<ExitCode> {
  const tools = await auditTools()
  const key = await tools.verifierKeyOf(givenKey, settings.home)
  const text = await readTextFile(path, 'The proof', maxProofBytes)
  const { index, checkpoint, body, leaf } = tools.checkAuditProof(text, key)
  const entry = body === undefined ? undefined : new TextDecoder().decode(body)
  const { origin, size } = checkpoint
  if (terminal.json) {
    terminal.document({ index, origin, size, hash: toBase64(leaf), entry: entry ?? null })
    return exitCodes.success
  }
  printFacts(terminal, [
    ['Proven', `entry ${index} of the log ${origin}, as it was with ${size} entries`],
    ['Hash', toBase64(leaf)],
  ])
  terminal.line(sanitise(entry ?? 'The log had dropped the entry itself; its hash is proven.'))
  return exitCodes.success
}
