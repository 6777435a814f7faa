import { buffer } from 'node:stream/consumers'
import type { ContractCommands } from './contract-commands.ts'
import type { FakeCommand } from './fake-runtime.ts'

/** The contract's programs for the fake runtime: named here, written below. */
export const fakeContractCommands: ContractCommands = {
  exit: (code) => ['exit', `${code}`],
  cat: () => ['cat'],
  print: (...words) => ['print', ...words],
  printBoth: (out, err) => ['print-both', out, err],
  environment: () => ['environment'],
  workingDirectory: () => ['working-directory'],
  zeros: (bytes) => ['zeros', `${bytes}`],
  runForever: () => ['run-forever'],
  exitFiveOnTerm: () => ['exit-five-on-term'],
  ignoreStdin: () => ['exit', '0'],
  callAgentApi: () => ['call-agent-api'],
}

export const fakePrograms: Readonly<Record<string, FakeCommand>> = {
  exit: async ({ argv }) => Number(argv[1]),
  async cat({ stdin, print }) {
    for await (const chunk of stdin) await print(chunk)
    return 0
  },
  async print({ argv, print }) {
    for (const word of argv.slice(1)) await print(`${word}\n`)
    return 0
  },
  async 'print-both'({ argv, print, complain }) {
    await Promise.all([print(argv[1] ?? ''), complain(argv[2] ?? '')])
    return 0
  },
  async environment({ env, print }) {
    for (const [name, value] of Object.entries(env)) await print(`${name}=${value}\n`)
    return 0
  },
  async 'working-directory'({ cwd, print }) {
    await print(`${cwd}\n`)
    return 0
  },
  async zeros({ argv, print }) {
    const block = new Uint8Array(65_536)
    for (let left = Number(argv[1]); left > 0; left -= block.length)
      await print(block.subarray(0, Math.min(left, block.length)))
    return 0
  },
  async 'run-forever'({ print, killed }) {
    await print('ready\n')
    return new Promise((resolve) => killed.addEventListener('abort', () => resolve(0)))
  },
  async 'exit-five-on-term'(io) {
    const asked = new Promise<number>((resolve) => {
      io.onSignal = () => resolve(5)
    })
    await io.print('ready\n')
    return asked
  },
  async 'call-agent-api'({ stdin, connect, print }) {
    const socket = connect({ kind: 'agent-api' })
    socket.end(await buffer(stdin))
    await print(await buffer(socket))
    return 0
  },
}
