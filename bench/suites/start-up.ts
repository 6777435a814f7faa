import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Benchmark, inTurn, ms } from '../measure.ts'

const entry = fileURLToPath(new URL('../../cli/bin/aegis.js', import.meta.url))

const run = (...args: string[]): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: 'ignore' })
    child.on('error', reject)
    child.on('exit', () => resolve())
  })

export const benchmark: Benchmark = {
  title: 'Start-up of the command',
  about: '`aegis --version` and `aegis --help` over `node -e 0`, as whole processes.',
  async run() {
    const bare = () => run('-e', '0')
    const version = await inTurn(15, () => run(entry, '--version'), bare)
    const help = await inTurn(15, () => run(entry, '--help'), bare)
    return [
      {
        name: 'aegis --version',
        value: ms(version.subjectMs),
        ratio: version.ratio,
        goal: '≤ 2',
        met: version.ratio <= 2,
      },
      { name: 'aegis --help', value: ms(help.subjectMs), ratio: help.ratio },
      { name: 'node -e 0', value: ms(version.baselineMs) },
    ]
  },
}
