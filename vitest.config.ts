import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** One suite for every kind of sandbox: a few lines that run for a minute, and would else come last. */
const longSuite = /\/tests\/(contract|egress)\/[a-z-]+\.int\.test\.ts$/

class LongSuitesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: TestSpecification): boolean => longSuite.test(moduleId)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    globalSetup: ['tests/engine/engine-door.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // The tests wait for the programs they start, so that none needs a core of its own.
    maxWorkers: Math.max(2, availableParallelism()),
    sequence: { sequencer: LongSuitesFirst },
    // A shared machine may starve a process for seconds. The report shows what was tried twice, and
    // that is looked into; on a developer's machine nothing is.
    retry: process.env.CI ? 1 : 0,
  },
})
