import { readdir } from 'node:fs/promises'
import { AegisError, agentId, type Sandbox, type SnapshotSubject } from '@aegis/core'
import { type MachineChoice, openRuntime } from './hosts/open-runtime.ts'
import { collect, run, specWith } from './sandbox-driver.ts'

/** Boots a machine, and another one out of a snapshot, as whoever it is started as. */
const never = new AbortController().signal
const choice: MachineChoice = JSON.parse(process.argv[2] ?? '{}')
const runtime = await openRuntime({ runtime: 'firecracker', ...choice })
const env = { PATH: '/usr/bin:/bin' }
const spec = () =>
  specWith({
    interpreter: { language: 'none', version: '', image: 'node' },
    limits: { cpuMillicores: 1000, memoryBytes: 48 << 20, diskBytes: 16 << 20 },
  })

async function booted(): Promise<string> {
  await using sandbox = await runtime.boot(spec(), never)
  return (await run(sandbox, ['echo', 'hello'], env)).stdout.toString()
}

async function restored(): Promise<string> {
  const { snapshots } = runtime
  const subject: SnapshotSubject = {
    agentId: agentId('stranger'),
    agentRevision: 1,
    files: [],
    command: { argv: ['cat'], env, cwd: '/' },
  }
  {
    await using template = await snapshots?.bootTemplate(spec(), never)
    await template?.exec(subject.command, never)
    await template?.keep(subject, never)
  }
  const up = await snapshots?.restore(subject, spec(), never)
  if (up === undefined) throw new Error('Nothing was kept')
  await using _: Sandbox = up.sandbox
  return (await collect(up.standby, [Buffer.from('waited')])).stdout.toString()
}

const report: Record<string, unknown> = {
  uid: process.getuid?.(),
  limits: (await runtime.capabilities(never)).limits,
  findings: await runtime.diagnose(never),
}
try {
  const outcomes = { booted: await booted(), restored: await restored() }
  await runtime[Symbol.asyncDispose]()
  const { stateDirectory } = choice.monitor
  const left = await Promise.all(
    ['machines', 'disks'].map((name) => readdir(`${stateDirectory}/${name}`)),
  )
  report.outcomes = { ...outcomes, left: left.flat() }
} catch (error) {
  if (!(error instanceof AegisError)) throw error
  report.refused = { code: error.code, message: error.message }
}
process.stdout.write(JSON.stringify(report))
