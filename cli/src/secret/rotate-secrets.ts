import { AegisError, type SecretRotation } from '@aegis/core'
import { secretChangedToWire, secretRotationToWire } from '@aegis/http-contract'
import type { CommandContext, CommandHandler } from '../program/command-context.ts'
import { type ExitCode, exitCodes } from '../program/exit-code.ts'
import { count } from '../terminal/format.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { readSecretValue, type SecretSource } from './read-secret-value.ts'

interface RotateOptions extends SecretSource {
  readonly key?: string
}

export const rotateSecrets: CommandHandler<RotateOptions> = async (context, [name], options) => {
  const { key, fromFile, fromEnv } = options
  if (name !== undefined && key !== undefined) {
    throw mixed('--key changes the key of all secrets, not the value of one', 'leave out the name')
  }
  if (name !== undefined) return rotateOne(context, name, options)
  if (fromFile !== undefined || fromEnv !== undefined) {
    throw mixed('A value is for one secret, and none is named', 'aegis secret rotate <name>')
  }
  await using connection = await context.connect()
  const rotated = await connection.controlPlane.secrets.rotate({ key })
  if (context.terminal.json) context.terminal.document(secretRotationToWire(rotated))
  else tell(context.terminal, rotated)
  return exitCodes.success
}

async function rotateOne(
  context: CommandContext,
  name: string,
  source: SecretSource,
): Promise<ExitCode> {
  const { terminal } = context
  const value = await readSecretValue(context, name, source)
  if (value === 'interrupted') return exitCodes.interrupted
  await using connection = await context.connect()
  const { secrets } = connection.controlPlane
  if (!(await secrets.list()).some((secret) => secret.name === name)) {
    throw new AegisError('not-found', 'secret.absent', `There is no secret ${name}`, {
      details: { help: 'aegis secret set makes one; see aegis secret list' },
    })
  }
  const changed = await secrets.set(name, { value })
  if (terminal.json) terminal.document(secretChangedToWire(changed))
  else terminal.line(`Secret ${terminal.style.bold(sanitiseLine(name))} has another value`)
  return exitCodes.success
}

function tell(terminal: Terminal, { secrets, key, isKeyNew, isConfigured }: SecretRotation): void {
  const from = sanitiseLine(key)
  terminal.line(`Encrypted ${count(secrets, 'secret')} anew; the key comes from ${from}`)
  if (!isKeyNew) {
    terminal.note(`${from} gives the key that it gave before: name another with --key to change it`)
  }
  if (!isConfigured) {
    const warning = terminal.noteStyle.warning('warning:')
    terminal.note(
      `${warning} write spec.security.secrets.key: ${from} into the config, or the node cannot open its secrets when it starts again`,
    )
  }
}

const mixed = (message: string, help: string): AegisError =>
  new AegisError('invalid', 'secret.options', message, { details: { help } })
