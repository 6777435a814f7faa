import { loggedEntryToWire } from '@aegis/http-contract'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { parseIndex } from '../program/parse-option.ts'
import { printFacts } from '../terminal/print-facts.ts'
import { sanitise } from '../terminal/sanitise.ts'

export const showEntry: CommandHandler<object> = async (context, [text = '']) => {
  const index = parseIndex(text)
  const { terminal } = context
  await using connection = await context.connect()
  const logged = await connection.controlPlane.audit.entry(index)
  if (terminal.json) {
    terminal.document(loggedEntryToWire(logged))
    return exitCodes.success
  }
  const { hash, entry } = logged
  printFacts(terminal, [
    ['Entry', String(index)],
    ['Type', entry?.type ?? 'dropped by the retention of the node; its hash is kept'],
    ['At', entry?.at],
    ['Actor', entry?.actor],
    ['Agent', entry?.agentId],
    ['Task', entry?.executionId],
    ['Hash', hash],
  ])
  if (entry !== undefined) terminal.line(sanitise(JSON.stringify(entry.data, null, 2)))
  return exitCodes.success
}
