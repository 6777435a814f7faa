import type { Isolation, NodeFinding } from '@aegis/core'
import { exposedNotice } from '../node/exposed-notice.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { sanitise } from '../terminal/sanitise.ts'
import type { Style } from '../terminal/style.ts'
import { type Column, renderTable } from '../terminal/table.ts'

/** Exits with 1 where no runtime can isolate an agent. */
export const doctor: CommandHandler<object> = async (context) => {
  const { terminal } = context
  const { style, columns } = terminal
  await using connection = await context.connect()
  const findings = await connection.controlPlane.node.doctor(new AbortController().signal)
  const able = ableIsolations(findings)
  const canIsolate = able.length > 0
  const { exposed } = await connection.controlPlane.node.status()
  if (terminal.json) {
    terminal.document({ can_isolate: canIsolate, isolations: able, findings, exposed })
    return canIsolate ? exitCodes.success : exitCodes.general
  }
  terminal.line(renderTable(columnsOf(style), findings, { columns, title: style.dim }))
  const remedies = findings.filter((finding) => finding.remedy !== undefined)
  if (remedies.length > 0) terminal.line()
  for (const { name, remedy = '' } of remedies) {
    terminal.line(`${style.bold(sanitise(name))}: ${sanitise(remedy)}`)
  }
  terminal.line()
  terminal.line(
    canIsolate
      ? style.good(`This machine can isolate agents: ${able.join(', ')}.`)
      : style.bad('This machine cannot isolate agents yet: mend what is missing.'),
  )
  if (exposed) terminal.line(`${style.warning('warning:')} ${exposedNotice}`)
  return canIsolate ? exitCodes.success : exitCodes.general
}

/** Those that miss nothing. */
function ableIsolations(findings: readonly NodeFinding[]): readonly Isolation[] {
  const all = new Set(findings.map(({ isolation }) => isolation))
  for (const { isolation, state } of findings) if (state === 'missing') all.delete(isolation)
  return [...all]
}

function columnsOf(style: Style): readonly Column<NodeFinding>[] {
  return [
    {
      title: 'STATE',
      value: (finding) => finding.state,
      paint: (text, finding) => paintState(style, finding.state)(text),
    },
    { title: 'FOR', value: (finding) => finding.isolation },
    { title: 'WHAT', value: (finding) => finding.name },
    { title: 'FOUND', value: (finding) => finding.detail, flexible: true },
  ]
}

function paintState(style: Style, state: NodeFinding['state']): (text: string) => string {
  switch (state) {
    case 'ok':
      return style.good
    case 'warning':
      return style.warning
    case 'missing':
      return style.bad
  }
}
