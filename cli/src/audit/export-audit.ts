import { resolve } from 'node:path'
import { auditTools } from '@aegis/daemon'
import { untilInterrupted } from '../log/until-interrupted.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { showAuditProgress } from './show-audit-progress.ts'

export const exportAudit: CommandHandler<{ readonly from?: number }> = async (
  context,
  [path = ''],
  { from },
) => {
  const { terminal, cwd } = context
  const directory = resolve(cwd, path)
  const { exportLog } = await auditTools()
  await using connection = await context.connect()
  using shown = showAuditProgress(terminal, 'exporting')
  const outcome = await untilInterrupted(context, (signal) =>
    exportLog({
      log: connection.controlPlane.audit,
      directory,
      from,
      onProgress: shown.onProgress,
      signal,
    }),
  )
  shown[Symbol.dispose]()
  if (outcome === 'interrupted') return exitCodes.interrupted
  const { size, before, dropped, key } = outcome
  if (terminal.json) {
    terminal.document({ directory, size, entries_before: before, bodies_dropped: dropped, key })
    return exitCodes.success
  }
  const since = before === 0 ? '' : `, ${size - before} of them new`
  terminal.line(`Exported ${size} entries${since} to ${sanitiseLine(directory)}`)
  if (dropped > 0) terminal.line(`The bodies of ${dropped} were dropped by the node's retention`)
  terminal.line(terminal.style.dim(`Check it anywhere: aegis-audit-verify --key '${key}' ${path}`))
  return exitCodes.success
}
