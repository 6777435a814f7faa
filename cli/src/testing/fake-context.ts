import type { ControlPlane } from '@aegis/core'
import type { CommandContext } from '../program/command-context.ts'
import { recordTerminal } from './record-terminal.ts'

/** The parts of a node that a test plays. */
export type FakeControlPlane = {
  readonly [Part in keyof ControlPlane]?: Partial<ControlPlane[Part]>
}

/** A command's surroundings: a terminal that remembers, a keyboard, and a node that is played. */
export function fakeContext(
  controlPlane: FakeControlPlane | undefined,
  options: Parameters<typeof recordTerminal>[0] & { readonly answer?: boolean } = {},
) {
  const terminal = recordTerminal(options)
  const keyboard = { pressCtrlC: () => {} }
  const connection = {
    controlPlane,
    mode: 'daemon',
    [Symbol.asyncDispose]: async () => {},
  }
  const asked: string[] = []
  const context = {
    terminal,
    settings: {},
    interrupts: {
      listen(onInterrupt: (count: number) => void) {
        keyboard.pressCtrlC = () => onInterrupt(1)
        return { [Symbol.dispose]: () => {} }
      },
    },
    confirm: async (question: string) => {
      asked.push(question)
      return options.answer
    },
    connect: async () => connection,
    connectRunning: async () => (controlPlane === undefined ? undefined : connection),
  } as unknown as CommandContext
  return { context, terminal, keyboard, asked }
}
