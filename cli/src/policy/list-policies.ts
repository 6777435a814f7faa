import type { PolicySummary } from '@aegis/core'
import { policyListToWire } from '@aegis/http-contract'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { count } from '../terminal/format.ts'
import { sanitise, sanitiseLine } from '../terminal/sanitise.ts'
import type { Style } from '../terminal/style.ts'
import { type Column, renderTable } from '../terminal/table.ts'
import { noteProblems } from './note-problems.ts'

interface Options {
  readonly agent?: string
  readonly text?: boolean
}

export const listPolicies: CommandHandler<Options> = async (context, _, { agent, text }) => {
  const { terminal } = context
  await using connection = await context.connect()
  const list = await connection.controlPlane.policies.list({ agentRef: agent })
  if (terminal.json) {
    terminal.document(policyListToWire(list))
    return exitCodes.success
  }
  const { columns, style } = terminal
  const { policies } = list
  if (text === true) {
    for (const { id, source, text: cedar } of policies) {
      terminal.line(style.dim(`// ${sanitiseLine(`${id} (${source})`)}`))
      terminal.line(`${sanitise(cedar)}\n`)
    }
  } else {
    terminal.line(`${count(policies.length, 'policy', 'policies')}:`)
    terminal.line(renderTable(policyColumns(style), policies, { columns, title: style.dim }))
  }
  terminal.note(terminal.noteStyle.dim(`The operator's policies are read from ${list.folder}`))
  if (list.problems.length > 0) {
    const what = list.closed
      ? 'They have errors, and nothing is permitted until these are mended:'
      : 'The newest files have errors, and the last good ones are in force:'
    terminal.note(terminal.noteStyle.bad(what))
  }
  noteProblems(terminal, list)
  return exitCodes.success
}

function policyColumns(style: Style): readonly Column<PolicySummary>[] {
  return [
    { title: 'ID', value: ({ id }) => id, paint: style.bold },
    {
      title: 'EFFECT',
      value: ({ effect }) => effect,
      paint: (text, { effect }) => (effect === 'forbid' ? style.bad(text) : style.good(text)),
    },
    { title: 'ACTIONS', value: ({ actions }) => shortActions(actions), flexible: true },
    { title: 'SOURCE', value: ({ source }) => source, flexible: true },
  ]
}

/** Most are about one or two; the rest is counted. */
function shortActions([first, second, ...more]: PolicySummary['actions']): string {
  if (first === undefined) return ''
  if (second === undefined) return first
  return more.length === 0 ? `${first}, ${second}` : `${first} and ${more.length + 1} more`
}
