import * as z from 'zod'
import type { EngineClient } from '../engine/engine-client.ts'
import { type Owner, ownerLabel } from './owner.ts'
import type { Leftover, Reaper } from './reaper.ts'

const containers = z.array(z.object({ Names: z.array(z.string().max(1000)).min(1) }))
const volumes = z.object({ Volumes: z.array(z.object({ Name: z.string().max(1000) })).nullish() })

interface Deps {
  readonly client: EngineClient
  readonly owner: Owner
  readonly reaper: Reaper
}

/**
 * Removes what is the owner's on the engine, except what `keep` says is in use. Returns what it
 * removed, one line each.
 */
export async function sweepEngine(
  { client, owner, reaper }: Deps,
  keep: (leftover: Leftover) => boolean,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { prefix } = owner
  const byLabel = JSON.stringify({ label: [`${ownerLabel}=${owner.tag}`] })
  const byName = JSON.stringify({ name: [prefix] })
  const list = { method: 'GET', path: '/containers/json' } as const
  const [boxes, disks] = await Promise.all([
    client.call(containers, { ...list, query: { all: 'true', filters: byLabel } }, signal),
    // One that the engine made in the place of ours has its name only.
    client.call(volumes, { method: 'GET', path: '/volumes', query: { filters: byName } }, signal),
  ])
  const found: Leftover[] = [
    ...boxes.map(({ Names: [name = ''] }) => ({
      kind: 'container' as const,
      name: name.replace(/^\//, ''),
    })),
    ...(disks.Volumes ?? []).map(({ Name: name }) => ({ kind: 'volume' as const, name })),
  ]
  const left = found.filter((leftover) => leftover.name.startsWith(prefix) && !keep(leftover))
  const ofKind = (kind: Leftover['kind']) => left.filter((leftover) => leftover.kind === kind)
  // A volume can go once no container has it.
  await Promise.all(ofKind('container').map((one) => reaper.remove([one])))
  await Promise.all(ofKind('volume').map((one) => reaper.remove([one])))
  return left.map(({ kind, name }) => `${kind} ${name}`)
}
