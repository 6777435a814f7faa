import * as z from 'zod'
import type { EngineClient } from '../engine/engine-client.ts'
import { type Owner, ownerLabel } from './owner.ts'
import type { Leftover, Reaper } from './reaper.ts'

const containers = z.array(
  // One whose removal failed has lost its names.
  z.object({ Id: z.string().max(1000), Names: z.array(z.string().max(1000)).nullish() }),
)
const volumes = z.object({ Volumes: z.array(z.object({ Name: z.string().max(1000) })).nullish() })

/** The list repeats the labels of each container's image. */
const listMaxBytes = 256 << 20

interface Deps {
  readonly client: EngineClient
  readonly owner: Owner
  readonly reaper: Reaper
}

interface Found {
  readonly leftover: Leftover
  readonly name: string
}

/**
 * Removes what is the owner's on the engine, except what `keep` says by its name is in use. Returns what it
 * removed, one line each.
 */
export async function sweepEngine(
  { client, owner, reaper }: Deps,
  keep: (name: string) => boolean,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { prefix } = owner
  const byLabel = JSON.stringify({ label: [`${ownerLabel}=${owner.tag}`] })
  const byName = JSON.stringify({ name: [prefix] })
  const list = { method: 'GET', path: '/containers/json', answerMaxBytes: listMaxBytes } as const
  const [boxes, disks] = await Promise.all([
    client.call(containers, { ...list, query: { all: 'true', filters: byLabel } }, signal),
    // One that the engine made in the place of ours has its name only.
    client.call(volumes, { method: 'GET', path: '/volumes', query: { filters: byName } }, signal),
  ])
  const found: readonly Found[] = [
    ...boxes.map(({ Id, Names }) => ({
      leftover: { kind: 'container', name: Id } as const,
      name: Names?.[0]?.replace(/^\//, '') ?? `${prefix}${Id}`,
    })),
    ...(disks.Volumes ?? []).map(({ Name: name }) => ({
      leftover: { kind: 'volume', name } as const,
      name,
    })),
  ]
  const left = found.filter(({ name }) => name.startsWith(prefix) && !keep(name))
  const ofKind = (kind: Leftover['kind']) =>
    left.flatMap(({ leftover }) => (leftover.kind === kind ? [leftover] : []))
  // A volume can go once no container has it.
  await Promise.all(ofKind('container').map((one) => reaper.remove([one])))
  await Promise.all(ofKind('volume').map((one) => reaper.remove([one])))
  return left.map(({ leftover, name }) => `${leftover.kind} ${name}`)
}
