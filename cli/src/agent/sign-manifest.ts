import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { AegisError } from '@aegis/core'
import { makeSigningKey, signManifest } from '@aegis/daemon'
import { loadManifest } from '../input/load-manifest.ts'
import { signedSuffix } from '../input/load-signed.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { printFacts } from '../terminal/print-facts.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'

/** Makes a key pair. The private half stays in its file; the other is printed. */
export const generateSigningKey: CommandHandler<{ readonly output: string }> = async (
  { terminal, cwd },
  [name = ''],
  { output },
) => {
  const verifierKey = await makeSigningKey(name, resolve(cwd, output))
  if (terminal.json) {
    terminal.document({ name, key_file: output, verifier_key: verifierKey })
    return exitCodes.success
  }
  terminal.line(`Made a key that signs manifests as ${terminal.style.bold(sanitiseLine(name))}`)
  printFacts(terminal, [
    ['Key file', `${output} (keep it to yourself)`],
    ['Verifier key', verifierKey],
  ])
  terminal.line(
    terminal.style.dim('Put the verifier key into spec.security.supply.manifest_keys of the node'),
  )
  return exitCodes.success
}

/** Signs a manifest with the files of its context, into a file beside it. */
export const signAgentManifest: CommandHandler<{
  readonly key: string
  readonly output?: string
}> = async (context, [path = ''], { key, output }) => {
  const { terminal, cwd } = context
  if (path === '-' && output === undefined) {
    throw new AegisError('invalid', 'signing.output', 'Nothing says where to write to', {
      details: { help: 'give -o <file> along with -' },
    })
  }
  const manifest = await loadManifest(path, context)
  const note = await signManifest(manifest, resolve(cwd, key))
  const target = output ?? `${path}${signedSuffix}`
  await write(resolve(cwd, target), note)
  const { name, version } = manifest.metadata
  if (terminal.json) terminal.document({ name, version, signed: target })
  else {
    terminal.line(
      `Signed agent ${terminal.style.bold(name)} ${sanitiseLine(version)} into ${sanitiseLine(target)}`,
    )
  }
  return exitCodes.success
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new AegisError('invalid', 'file.unwritable', `${path} cannot be written: ${reason}`, {
      cause,
    })
  }
}
