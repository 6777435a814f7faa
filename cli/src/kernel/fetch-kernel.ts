import { resolve } from 'node:path'
import { type FetchProgress, kernelTools } from '@aegis/daemon'
import { untilInterrupted } from '../log/until-interrupted.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { formatBytes } from '../terminal/format.ts'
import { showProgress } from '../terminal/progress.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { describeOrigin, kernelToJson, shortDigest } from './describe-kernel.ts'

interface Options {
  readonly source?: 'krunfw' | 'cloud'
  readonly latest?: boolean
  readonly mirror?: string
  readonly keyring?: string
  readonly quiet?: boolean
}

export const fetchKernel: CommandHandler<Options> = async (
  context,
  _,
  { source, latest = false, mirror, keyring, quiet = false },
) => {
  const { terminal, settings, cwd } = context
  const tools = await kernelTools(settings.home)
  using shown = quiet ? undefined : showProgress(terminal, 'fetching a kernel')
  const fetched = await untilInterrupted(context, (signal) =>
    tools.fetch({
      source,
      latest,
      ...(mirror !== undefined && { mirror }),
      ...(keyring !== undefined && { keyring: resolve(cwd, keyring) }),
      onProgress: (progress) => shown?.update(describeProgress(progress)),
      signal,
    }),
  )
  shown?.[Symbol.dispose]()
  if (fetched === 'interrupted') return exitCodes.interrupted
  const { record, wasStored, notices } = fetched
  if (terminal.json) {
    terminal.document({ ...kernelToJson(record), current: true, fetched: !wasStored, notices })
    return exitCodes.success
  }
  for (const notice of notices) terminal.note(sanitiseLine(notice))
  if (quiet) {
    terminal.line(record.digest)
    return exitCodes.success
  }
  const { bold } = terminal.style
  const facts = `Linux ${record.linux}, ${formatBytes(record.sizeBytes)}`
  const verb = wasStored ? 'Already here:' : 'Fetched'
  terminal.line(`${verb} ${bold(sanitiseLine(record.name))} (${sanitiseLine(facts)})`)
  terminal.line(`Source: ${sanitiseLine(describeOrigin(record))}`)
  terminal.line(`Digest: ${record.digest}`)
  terminal.line(`Micro-VMs boot ${shortDigest(record)} from now on.`)
  return exitCodes.success
}

function describeProgress({ phase, receivedBytes, totalBytes }: FetchProgress): string {
  const bytes = `${formatBytes(receivedBytes)}${totalBytes === undefined ? '' : ` of ${formatBytes(totalBytes)}`}`
  switch (phase) {
    case 'index':
      return `reading the index of packages: ${bytes}`
    case 'package':
      return `fetching the package: ${bytes}`
    case 'unpack':
      return 'unpacking the kernel'
  }
}
