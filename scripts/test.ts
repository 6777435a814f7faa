// Runs every test and ends with one line of totals. With CI set, or AEGIS_REQUIRE, a test that this
// machine could run must not be skipped. Arguments are handed to vitest: `npm test -- core`.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'

const reportSchema = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numFailedTestSuites: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number().default(0),
})

const directory = mkdtempSync(join(tmpdir(), 'aegis-test-'))
const report = join(directory, 'report.json')
const everything = 'bwrap,cgroup,python,clang,docker,runsc,registry,world,go,qemu,erofs'
const require = process.env.AEGIS_REQUIRE ?? (process.env.CI ? everything : '')

const { status } = spawnSync(
  'vitest',
  [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit', env: { ...process.env, AEGIS_REQUIRE: require } },
)
process.exitCode = summarise() && status === 0 ? 0 : 1
rmSync(directory, { recursive: true, force: true })

function summarise(): boolean {
  try {
    const totals = reportSchema.parse(JSON.parse(readFileSync(report, 'utf8')))
    const { numPassedTests: passed, numPendingTests: pending, numTodoTests: todo } = totals
    // A file that does not even load counts as one failure.
    const failed = totals.numFailedTests || (status === 0 ? 0 : totals.numFailedTestSuites || 1)
    console.log(`${passed} passed, ${failed} failed, ${pending + todo} skipped`)
    return failed === 0
  } catch (error) {
    console.error(error)
    console.log('0 passed, 1 failed, 0 skipped')
    return false
  }
}
