import { execFile, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const script = join(import.meta.dirname, '..', 'guest', 'fuzz', 'run')
const hasClang = ['clang', 'clang-14'].some((name) => spawnSync(name, ['--version']).status === 0)
if (!hasClang && (process.env.AEGIS_REQUIRE ?? '').split(',').includes('clang'))
  throw new Error('clang is missing: apt-get install clang libclang-rt-14-dev')

it.skipIf(!hasClang)(
  'the guest’s parsers survive a few seconds of fuzzing',
  async () => {
    const { stderr } = await promisify(execFile)(script, ['5'])
    expect(stderr).toMatch(/stat::number_of_executed_units: [1-9]/)
  },
  120_000,
)
