import { openTestEngine } from './test-engine.ts'

// For the test that kills the owner of an engine.
const engine = await openTestEngine()
process.stdout.write(`${engine.directory}\n`)
setInterval(() => undefined, 1_000_000)
