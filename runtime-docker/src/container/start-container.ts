import { AegisError } from '@aegis/core'
import { abortable } from '@aegis/sandbox'
import * as z from 'zod'
import type { Attachment } from '../engine/attachment.ts'
import type { ContainerWatch } from '../engine/container-watch.ts'
import type { EngineClient } from '../engine/engine-client.ts'
import { refusalOf } from '../engine/engine-failure.ts'
import { guestProgram } from './guest-volume.ts'
import { absent } from './image-facts.ts'
import type { Leftover, Reaper } from './reaper.ts'

/** Code of a failed boot because somebody removed the guest's volume: it can be made again. */
export const guestMissing = 'sandbox.guest-missing'

interface StartDeps {
  readonly client: EngineClient
  readonly reaper: Reaper
  readonly watch: ContainerWatch
}

const created = z.object({ Id: z.string().regex(/^[0-9a-f]{64}$/) })
const never = new AbortController().signal

/** A container that runs, and its streams. */
export interface StartedContainer {
  readonly attachment: Attachment
  readonly phases: Readonly<Record<'create' | 'attach' | 'start', number>>
}

/**
 * Creates, attaches and starts. `steps` gets what removes the container, whatever happens.
 * @throws AegisError `not-found` / `image.absent` · `unavailable` / `sandbox.boot`, `guestMissing`
 */
export async function startContainer(
  { client, reaper, watch }: StartDeps,
  { name, body, image }: { readonly name: string; readonly body: object; readonly image: string },
  steps: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<StartedContainer> {
  // By its id as soon as that is known: a container that could not be removed may lose its name.
  let leftover: Leftover = { kind: 'container', name }
  // The engine finishes what it has begun, so it is not removed before.
  let begun: Promise<unknown> = Promise.resolve()
  steps.defer(async () => {
    watch.forget(name)
    await begun.catch(() => {})
    await reaper.remove([leftover])
  })
  const see = <T>(asking: Promise<T>): Promise<T> => {
    begun = asking
    return abortable(asking, signal)
  }

  watch.watch(name)
  const prepared = performance.now()
  const creating = client.call(
    created,
    { method: 'POST', path: '/containers/create', query: { name }, body },
    never,
  )
  creating.then(
    ({ Id }) => {
      leftover = { kind: 'container', name: Id }
    },
    () => {},
  )
  const { Id: id } = await see(creating).catch((error: unknown) => {
    throw refusalOf(error)?.status === 404 ? absent(image, error) : error
  })
  const madeAt = performance.now()
  const attachment = await client.attach(id, signal)
  steps.defer(() => void attachment.stdio.destroy())
  const attached = performance.now()
  const starting = client.run({ method: 'POST', path: `/containers/${id}/start` }, never)
  await see(starting).catch((error: unknown) => {
    throw notStarted(error)
  })
  const phases = {
    create: madeAt - prepared,
    attach: attached - madeAt,
    start: performance.now() - attached,
  }
  return { attachment, phases }
}

const notStarted = (error: unknown): unknown => {
  const words = refusalOf(error)?.words
  if (words === undefined) return error
  // The engine made an empty volume in its place.
  const code = words.includes(guestProgram) ? guestMissing : 'sandbox.boot'
  const message = `The Docker engine could not start the sandbox: ${words}. \`aegis doctor\` says what its host lacks`
  return new AegisError('unavailable', code, message, { cause: error })
}
