import { constants } from 'node:os'
import type { SignalName } from '@aegis/core'

const numbers: Readonly<Record<SignalName, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  KILL: 9,
  USR1: 10,
  USR2: 12,
  TERM: 15,
}

/** The number of a signal on Linux, for x86_64 and aarch64 alike. */
export const signalNumber = (name: SignalName): number => numbers[name]

/** The name of a Linux signal without `SIG`; a real-time signal is `RTMIN+n`. */
export function signalName(number: number): string {
  for (const [name, value] of Object.entries(constants.signals))
    if (value === number && name !== 'SIGIOT' && name !== 'SIGPOLL') return name.slice(3)
  return `RTMIN+${number - 34}`
}
