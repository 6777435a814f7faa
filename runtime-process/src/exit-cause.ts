import type { Exit, LimitCause } from '@aegis/core'
import type { LimitHits } from '@aegis/sandbox'

/** Which limit ended a command that failed, judged by what the kernel counted meanwhile. */
export function exitCause(
  exit: Exit,
  before: LimitHits,
  after: LimitHits,
  diskBytes: number,
): LimitCause | undefined {
  const oomKilled = after.oomKills > before.oomKills
  // A lost guest is a symptom: the kernel's count says of what.
  if (exit.cause !== undefined)
    return exit.cause === 'sandbox_lost' && oomKilled ? 'memory_limit' : exit.cause
  if (exit.code === 0) return undefined
  // A shell reports its killed child as an exit code, so the signal alone would miss it.
  if (oomKilled) return 'memory_limit'
  if (after.pidsRefusals > before.pidsRefusals) return 'pids_limit'
  if (after.sharedMemoryBytes >= diskBytes * diskFullShare) return 'disk_limit'
  return undefined
}

// The last block that did not fit is not charged, so a full disk may weigh a little less.
const diskFullShare = 0.97
