import { appendEntries, openAuditLog } from '@aegis/tests/audit/open-audit-log.ts'
import { type Benchmark, ms, percentile, timed } from '../measure.ts'

const entries = 1_000_000
const proofs = 500

export const benchmark: Benchmark = {
  title: 'Audit',
  about: `A log of ${entries.toLocaleString('en')} entries in a database on this disk: appended by 512 writers, each of which waits until its entry is durable; looked over as a whole; and asked for proofs of entries all over it.`,
  async run() {
    await using log = await openAuditLog()
    const appendMs = await appendEntries(log, entries, 512)
    const perSecond = entries / (appendMs / 1000)
    const checkpointMs = await timed(() => log.audit.checkpoint())
    const verifyMs = await timed(async () => {
      const report = await log.audit.verify(() => undefined, new AbortController().signal)
      if (!report.isSound || report.checked !== entries) throw new Error('The log is not whole')
    })
    const proofMs: number[] = []
    for (let number = 0; number < proofs; number += 1) {
      const index = (number * 7919 * 101) % entries
      proofMs.push(await timed(() => log.audit.prove(index)))
    }
    const slowest = percentile(proofMs, 99)
    return [
      {
        name: 'appended, 512 writers',
        value: `${Math.round(perSecond).toLocaleString('en')}/s`,
        goal: '≥ 10,000/s',
        met: perSecond >= 10_000,
      },
      {
        name: 'the whole log verified',
        value: `${(verifyMs / 1000).toFixed(1)} s`,
        goal: '< 60 s',
        met: verifyMs < 60_000,
      },
      { name: 'a proof, p50', value: ms(percentile(proofMs, 50)) },
      { name: 'a proof, p99', value: ms(slowest), goal: '< 10 ms', met: slowest < 10 },
      { name: 'a checkpoint', value: ms(checkpointMs) },
    ]
  },
}
