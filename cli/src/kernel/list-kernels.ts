import { type KernelRecord, kernelTools } from '@aegis/daemon'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { count, formatBytes, formatSpan } from '../terminal/format.ts'
import type { Style } from '../terminal/style.ts'
import { type Column, renderTable } from '../terminal/table.ts'
import { describeOrigin, kernelToJson, shortDigest } from './describe-kernel.ts'

export const listKernels: CommandHandler<object> = async ({ terminal, settings }) => {
  const tools = await kernelTools(settings.home)
  const [kernels, current] = await Promise.all([tools.list(), tools.current()])
  const isCurrent = ({ digest }: KernelRecord) => digest === current?.digest
  const { style, columns } = terminal
  if (terminal.json) {
    terminal.document(kernels.map((one) => ({ ...kernelToJson(one), current: isCurrent(one) })))
  } else if (kernels.length === 0) {
    terminal.line('This node has no kernel for micro-VMs yet.')
    terminal.line(style.dim('Fetch one: aegis kernel fetch'))
  } else {
    terminal.line(`${count(kernels.length, 'kernel')}:`)
    const shown = kernelColumns(style, isCurrent, Date.now())
    terminal.line(renderTable(shown, kernels, { columns, title: style.dim }))
  }
  return exitCodes.success
}

const kernelColumns = (
  style: Style,
  isCurrent: (kernel: KernelRecord) => boolean,
  nowMs: number,
): readonly Column<KernelRecord>[] => [
  { title: 'NAME', value: ({ name }) => name, paint: style.bold, flexible: true },
  { title: 'LINUX', value: ({ linux }) => linux },
  { title: 'DIGEST', value: shortDigest },
  { title: 'SIZE', value: ({ sizeBytes }) => formatBytes(sizeBytes), align: 'right' },
  {
    title: 'AGE',
    value: ({ fetchedAt }) => formatSpan(nowMs - Date.parse(fetchedAt)),
    align: 'right',
  },
  { title: 'USED', value: (kernel) => (isCurrent(kernel) ? 'yes' : ''), paint: style.good },
  { title: 'SOURCE', value: describeOrigin, flexible: true },
]
