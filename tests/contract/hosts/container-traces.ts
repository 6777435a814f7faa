import { readdir, readFile } from 'node:fs/promises'
import * as z from 'zod'
import { eventually } from '../../chaos/eventually.ts'
import type { Engine } from '../../engine/test-engine.ts'

const labels = z.record(z.string(), z.string()).nullable().default({})
const containersSchema = z.array(z.object({ Id: z.string(), Labels: labels, State: z.string() }))
const volumesSchema = z.object({
  Volumes: z.array(z.object({ Name: z.string(), Labels: labels })).nullable(),
})
const networksSchema = z.array(z.object({ Name: z.string() }))

/** What an engine holds of one owner, each with the part it plays at the end of its line. */
export async function containerTraces(engine: Engine, owner: string): Promise<readonly string[]> {
  const filters = JSON.stringify({ label: [`aegis.owner=${owner}`] })
  const ask = async (path: string, query = {}) =>
    JSON.parse(await engine.call('GET', path, { query: { filters, ...query } }))
  const [containers, volumes, networks] = await Promise.all([
    ask('/containers/json', { all: 'true' }),
    ask('/volumes'),
    ask('/networks'),
  ])
  const part = (of: Readonly<Record<string, string>> | null) => of?.['aegis.part'] ?? 'part unknown'
  return [
    ...containersSchema
      .parse(containers)
      .map(({ Id, State, Labels }) => `container ${Id} ${State} ${part(Labels)}`),
    ...(volumesSchema.parse(volumes).Volumes ?? []).map(
      ({ Name, Labels }) => `volume ${Name} ${part(Labels)}`,
    ),
    ...networksSchema.parse(networks).map(({ Name }) => `network ${Name}`),
  ]
}

/** Shims and gVisor's processes of containers that are no more, of whichever owner. */
export async function orphanedProcesses(engine: Engine): Promise<readonly string[]> {
  const look = async () => {
    // In this order: a container that comes meanwhile has no process in the first list.
    const processes = await processesOf(engine.directory)
    const query = { all: 'true' }
    const containers = containersSchema.parse(
      JSON.parse(await engine.call('GET', '/containers/json', { query })),
    )
    return processes.filter((line) => !containers.some(({ Id }) => line.includes(Id)))
  }
  // Those that another test just removes end any moment.
  let found: readonly string[] = []
  await eventually(async () => {
    found = await look()
    return found.length === 0 ? true : undefined
  }, 5000).catch(() => {})
  return found
}

/** Command lines that speak of a container of this engine. */
async function processesOf(directory: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  )
  return lines
    .map((line) => line.replaceAll('\0', ' '))
    .filter((line) => line.includes(directory) && /\b[0-9a-f]{64}\b/.test(line))
}
