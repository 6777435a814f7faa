import type { ExecutionStatus } from '@aegis/core'
import type { Style } from '../terminal/style.ts'

export function paintStatus(style: Style, status: ExecutionStatus): (text: string) => string {
  switch (status) {
    case 'pending':
    case 'queued':
      return style.dim
    case 'running':
      return style.accent
    case 'completed':
      return style.good
    case 'cancelled':
      return style.warning
    case 'failed':
    case 'timed_out':
      return style.bad
  }
}
