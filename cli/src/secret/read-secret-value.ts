import { resolve } from 'node:path'
import { AegisError, Secret } from '@aegis/core'
import type { HiddenAnswer } from '../input/ask-hidden.ts'
import { readTextFile } from '../input/read-text-file.ts'
import type { CommandContext } from '../program/command-context.ts'

export interface SecretSource {
  readonly fromFile?: string
  readonly fromEnv?: string
}

/** More than any value may have, so that the node can say what is wrong with it. */
const limitBytes = 1024 * 1024

/**
 * The value of a secret: from a file, a variable, the keyboard, or standard input. A line break at
 * its end is that of the editor or of `echo`, and dropped once.
 * @throws AegisError `invalid`
 */
export async function readSecretValue(
  context: Pick<CommandContext, 'cwd' | 'env' | 'askHidden' | 'readStdin'>,
  name: string,
  { fromFile, fromEnv }: SecretSource,
): Promise<HiddenAnswer> {
  if (fromFile !== undefined) {
    return valueIn(await readTextFile(resolve(context.cwd, fromFile), 'File', limitBytes))
  }
  if (fromEnv !== undefined) {
    const value = context.env[fromEnv]
    if (value) return valueIn(value)
    throw new AegisError('invalid', 'secret.variable', `The variable ${fromEnv} is not set here`)
  }
  const typed = await context.askHidden(`Value of ${name} (not shown)`)
  return typed ?? valueIn(await context.readStdin())
}

const valueIn = (text: string): Secret => new Secret(text.replace(/\r?\n$/, ''))
