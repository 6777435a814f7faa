import { resolve } from 'node:path'
import type { AuditReport } from '@aegis/core'
import { auditTools } from '@aegis/daemon'
import { auditReportToWire } from '@aegis/http-contract'
import { readTextFile } from '../input/read-text-file.ts'
import { untilInterrupted } from '../log/until-interrupted.ts'
import type { CommandContext, CommandHandler } from '../program/command-context.ts'
import { type ExitCode, exitCodes } from '../program/exit-code.ts'
import { printReport } from './print-report.ts'
import { showAuditProgress } from './show-audit-progress.ts'
import { verifyProof } from './verify-proof.ts'

interface Options {
  readonly key?: string
  readonly witness?: string
  readonly from: number
}

export const verifyAudit: CommandHandler<Options> = async (context, [path], options) => {
  const { terminal, cwd } = context
  if (path !== undefined && (await auditTools()).isProofFile(resolve(cwd, path))) {
    return verifyProof(context, resolve(cwd, path), options.key)
  }
  using shown = showAuditProgress(terminal, 'checked')
  const watch = shown.onProgress
  const report = await untilInterrupted(context, (signal) =>
    path === undefined
      ? verifyNode(context, options, watch, signal)
      : verifyDirectory(context, resolve(cwd, path), options, watch, signal),
  )
  shown[Symbol.dispose]()
  if (report === 'interrupted') return exitCodes.interrupted
  if (terminal.json) terminal.document(auditReportToWire(report))
  else printReport(terminal, report)
  return exitOf(report)
}

const exitOf = ({ isSound }: AuditReport): ExitCode =>
  isSound ? exitCodes.success : exitCodes.general

type Watch = (progress: { readonly checked: number; readonly size: number }) => void

/** The log of a node that runs; else, without starting one, that of the home. */
async function verifyNode(
  context: CommandContext,
  { witness }: Options,
  onProgress: Watch,
  signal: AbortSignal,
): Promise<AuditReport> {
  const note = await readWitness(context, witness)
  const tools = await auditTools()
  await using connection = await context.connectRunning()
  if (connection === undefined) {
    const witnesses = note === undefined ? [] : [note]
    return tools.verifyAuditOfHome(context.settings.home, { witnesses, onProgress, signal })
  }
  const { audit } = connection.controlPlane
  const report = await audit.verify(onProgress, signal)
  const finding = note === undefined ? undefined : await tools.checkWitness(audit, note)
  if (finding === undefined) return report
  return { ...report, isSound: false, findings: [...report.findings, finding] }
}

async function verifyDirectory(
  context: CommandContext,
  directory: string,
  { key, witness, from }: Options,
  onProgress: Watch,
  signal: AbortSignal,
): Promise<AuditReport> {
  const note = await readWitness(context, witness)
  const tools = await auditTools()
  return tools.verifyAuditExport(directory, {
    key: await tools.verifierKeyOf(key, context.settings.home),
    witnesses: note === undefined ? [] : [note],
    from,
    onProgress,
    signal,
  })
}

const readWitness = async ({ cwd }: CommandContext, path: string | undefined) =>
  path === undefined
    ? undefined
    : readTextFile(resolve(cwd, path), 'The checkpoint', maxCheckpointBytes)

const maxCheckpointBytes = 1024 * 1024
