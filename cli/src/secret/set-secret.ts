import { isIP } from 'node:net'
import { AegisError, type SecretPlace, type SecretSummary } from '@aegis/core'
import { secretChangedToWire } from '@aegis/http-contract'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import type { Settings } from '../program/settings.ts'
import { printFacts } from '../terminal/print-facts.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { readSecretValue, type SecretSource } from './read-secret-value.ts'

interface SetOptions extends SecretSource {
  readonly agent?: readonly string[]
  readonly to?: readonly string[]
  readonly place?: readonly SecretPlace[]
}

export const setSecret: CommandHandler<SetOptions> = async (context, [name = ''], options) => {
  const { terminal, settings } = context
  refuseMistakenHost(settings, options)
  const value = await readSecretValue(context, name, options)
  if (value === 'interrupted') return exitCodes.interrupted
  await using connection = await context.connect()
  const changed = await connection.controlPlane.secrets.set(name, {
    value,
    agents: options.agent,
    hosts: options.to,
    places: options.place,
  })
  if (terminal.json) {
    terminal.document(secretChangedToWire(changed))
    return exitCodes.success
  }
  const shown = terminal.style.bold(sanitiseLine(name))
  terminal.line(changed.created ? `Keeping secret ${shown}` : `Changed secret ${shown}`)
  printFacts(terminal, factsOf(changed.secret))
  terminal.line(terminal.style.dim(`Use it in a manifest: spec.secrets: { TOKEN: ${name} }`))
  return exitCodes.success
}

const factsOf = ({ agents, hosts, places }: SecretSummary) =>
  [
    ['Agents', agents.includes('*') ? 'all' : agents.join(', ')],
    ['Sent to', hosts.join(', ')],
    ['Stands in', places.join(', ')],
  ] as const

/** `--host` is where the daemon is. Whoever means the other one would send the value there. */
function refuseMistakenHost({ isTargetExplicit, host }: Settings, { to }: SetOptions): void {
  const isName = host !== undefined && host !== 'localhost' && isIP(host) === 0
  if (to !== undefined || !isTargetExplicit || !isName) return
  throw new AegisError(
    'invalid',
    'secret.host',
    `--host ${host} names the daemon to talk to, and no --to says where the secret may be sent`,
    { details: { help: `write --to ${host}, or, for a daemon there, aegis secret rotate` } },
  )
}
