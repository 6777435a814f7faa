import { absent } from '../container/image-facts.ts'
import type { EngineClient } from '../engine/engine-client.ts'
import { refusalOf } from '../engine/engine-failure.ts'

/**
 * An image of the engine as an archive, like that of `docker save`.
 * @throws AegisError `not-found` / `image.absent` · `unavailable` / `engine.unreachable`
 */
export async function saveImage(
  client: EngineClient,
  id: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  try {
    const path = `/images/${encodeURIComponent(id)}/get`
    return await client.download({ method: 'GET', path }, signal)
  } catch (error) {
    throw refusalOf(error)?.status === 404 ? absent(id, error) : error
  }
}
