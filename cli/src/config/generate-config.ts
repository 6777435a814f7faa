import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { AegisError, generateNodeConfig } from '@aegis/core'
import { errnoOf } from '../input/read-text-file.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'

export const generateConfig: CommandHandler<{
  readonly output: string
  readonly examples?: boolean
  readonly force?: boolean
}> = async ({ terminal, cwd }, _, { output, examples, force }) => {
  const text = generateNodeConfig({ examples: examples === true })
  if (output === '-') {
    terminal.write(text)
    return exitCodes.success
  }
  const path = resolve(cwd, output)
  try {
    await mkdir(dirname(path), { recursive: true })
    // For its owner alone: keys may be written into it.
    await writeFile(path, text, { mode: 0o600, flag: force ? 'w' : 'wx' })
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') {
      throw new AegisError('conflict', 'config.exists', `${output} is there already`, {
        cause,
        details: { help: 'overwrite it with --force, or choose another name with --output' },
      })
    }
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new AegisError('invalid', 'config.unwritable', `${output} cannot be written: ${why}`, {
      cause,
    })
  }
  if (terminal.json) terminal.document({ path })
  else {
    terminal.line(`Wrote ${output}`)
    terminal.line(terminal.style.dim(`Edit it, then check it: aegis config validate ${output}`))
  }
  return exitCodes.success
}
