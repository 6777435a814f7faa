import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { completionScript } from './completion.ts'
import { makeProgram } from './program.ts'

const program = makeProgram({ version: '', run: async () => {} })

/** What bash offers when the cursor stands at the end of `line`. */
function complete(line: string): readonly string[] {
  const words = line.split(' ')
  const script = `${completionScript(program, 'bash')}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_aegis
printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-u', '-c', script], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean)
}

describe('completion in bash', () => {
  it('offers the commands that begin like that', () => {
    expect(complete('aegis d')).toEqual(['daemon', 'doctor'])
    expect(complete('aegis task ')).toContain('execute')
    expect(complete('aegis task l')).toEqual(['list', 'logs'])
  })

  it('offers the flags of a command and of all commands, also behind an argument', () => {
    expect(complete('aegis task execute echo --p')).toEqual(['--priority', '--port'])
    expect(complete('aegis --json agent deploy x --re')).toEqual(['--replace'])
  })

  it('offers the values that a flag or an argument can have', () => {
    expect(complete('aegis task execute echo --isolation ')).toEqual([
      'process',
      'docker',
      'firecracker',
    ])
    expect(complete('aegis completion z')).toEqual(['zsh'])
  })

  it('knows images and what sandboxes use', () => {
    expect(complete('aegis image p')).toEqual(['pull', 'prune'])
    expect(complete('aegis image prune --y')).toEqual(['--yes'])
    expect(complete('aegis task top --in')).toEqual(['--interval'])
  })
})

it('has every command for fish, quoted', () => {
  const script = completionScript(program, 'fish')
  expect(script).toContain("-a execute -d 'Run a task: ")
  expect(script).toContain("-d 'Work with the node\\'s configuration'")
})
