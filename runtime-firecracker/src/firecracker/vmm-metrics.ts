import * as z from 'zod'

/** What is looked at of the hundreds of numbers; all of them count since the last line. */
const line = z.object({
  seccomp: z.object({ num_faults: z.number() }).optional(),
  vcpu: z.object({ failures: z.number() }).optional(),
  signals: z.object({ sigbus: z.number(), sigsegv: z.number() }).optional(),
})

/**
 * What the numbers that Firecracker wrote say of a machine that should not run on, for people. Empty
 * when there is nothing; lines that are cut off are left out.
 */
export function violations(text: string): string {
  const lines = text.split('\n').flatMap((written) => {
    try {
      const parsed = line.safeParse(JSON.parse(written))
      return parsed.success ? [parsed.data] : []
    } catch {
      return []
    }
  })
  const sum = (of: (one: z.infer<typeof line>) => number | undefined) =>
    lines.reduce((total, one) => total + (of(one) ?? 0), 0)
  const counts = [
    ['system calls that its filter forbids', sum((one) => one.seccomp?.num_faults)],
    ['failures of a processor', sum((one) => one.vcpu?.failures)],
    ['bus errors', sum((one) => one.signals?.sigbus)],
    ['segmentation faults', sum((one) => one.signals?.sigsegv)],
  ] as const
  return counts.flatMap(([name, count]) => (count > 0 ? [`${count} ${name}`] : [])).join(', ')
}
