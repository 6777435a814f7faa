import { z } from 'zod'
import type { Engine } from '../engine/test-engine.ts'

const labels = z.object({ 'aegis.owner': z.string(), 'aegis.part': z.string() })
const containers = z.array(z.object({ Id: z.string(), State: z.string(), Labels: labels }))
const volumes = z.object({
  Volumes: z
    .array(z.object({ Name: z.string(), CreatedAt: z.string(), Labels: labels }))
    .nullable(),
})

/** What nodes of AEGIS made on an engine: a container by its id, a volume by its name and birth. */
export interface OwnedThing {
  readonly id: string
  /** Tells the homes of AEGIS apart. */
  readonly owner: string
  readonly part: string
  /** Of a container, such as `running`. */
  readonly state?: string
}

export async function ownedThings(engine: Engine): Promise<readonly OwnedThing[]> {
  const filters = JSON.stringify({ label: ['aegis.owner'] })
  const [boxes, disks] = await Promise.all([
    engine.call('GET', '/containers/json', { query: { all: 'true', filters } }),
    engine.call('GET', '/volumes', { query: { filters } }),
  ])
  return [
    ...containers.parse(JSON.parse(boxes)).map(({ Id, State, Labels }) => ({
      id: Id,
      state: State,
      owner: Labels['aegis.owner'],
      part: Labels['aegis.part'],
    })),
    ...(volumes.parse(JSON.parse(disks)).Volumes ?? []).map(({ Name, CreatedAt, Labels }) => ({
      id: `${Name} of ${CreatedAt}`,
      owner: Labels['aegis.owner'],
      part: Labels['aegis.part'],
    })),
  ]
}
