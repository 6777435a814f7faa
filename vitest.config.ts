import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    globalSetup: ['tests/engine/engine-door.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A shared machine may starve a process for seconds. The report shows what was tried twice, and
    // that is looked into; on a developer's machine nothing is.
    retry: process.env.CI ? 1 : 0,
  },
})
