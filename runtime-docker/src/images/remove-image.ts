import { AegisError } from '@aegis/core'
import * as z from 'zod'
import type { EngineClient } from '../engine/engine-client.ts'
import { refusalOf } from '../engine/engine-failure.ts'
import type { HostImage } from './image-inspection.ts'
import { fullName, imageNameOf } from './image-name.ts'

const usersSchema = z.array(z.object({ Names: z.array(z.string()).nullish(), Id: z.string() }))

/**
 * Removes an image with the names by which this node pulled it. One that somebody gave another
 * name is theirs too, and stays.
 * @throws AegisError `conflict` / `image.used`
 */
export async function removeImage(
  engine: EngineClient,
  image: HostImage,
  ownNames: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<void> {
  const others = image.references.filter((name) => ownNames?.includes(name) === false)
  if (others.length > 0)
    throw used(image, `it also bears a name that AEGIS did not give it: ${others.join(', ')}`)
  // Asked first: the engine would take away all names but one before it refuses.
  const users = await usersOf(engine, image.id, signal)
  if (users.length > 0) throw used(image, `a container needs it: ${users.slice(0, 5).join(', ')}`)
  const [, ...further] = ownNames === undefined ? [] : image.references
  for (const name of further) await remove(engine, image, fullName(imageNameOf(name)), signal)
  await remove(engine, image, image.id, signal)
}

async function usersOf(
  engine: EngineClient,
  id: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const query = { all: '1', filters: JSON.stringify({ ancestor: [id] }) }
  const request = { method: 'GET', path: '/containers/json', query } as const
  const containers = await engine.call(usersSchema, request, signal)
  return containers.map(({ Names: names, Id }) => names?.[0]?.slice(1) ?? Id.slice(0, 12))
}

/** By a name or an id. Gone already is good as well. */
async function remove(
  engine: EngineClient,
  image: HostImage,
  what: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await engine.run({ method: 'DELETE', path: `/images/${what}` }, signal)
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal?.status === 404) return
    if (refusal?.status === 409) throw used(image, refusal.words)
    throw error
  }
}

const used = ({ references, id }: HostImage, because: string): AegisError =>
  new AegisError(
    'conflict',
    'image.used',
    `The image ${references[0] ?? id.slice(0, 19)} is not removed: ${because}`,
  )
