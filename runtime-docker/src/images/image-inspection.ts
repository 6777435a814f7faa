import type { Image, Instant } from '@aegis/core'
import * as z from 'zod'
import { familiarName, imageIdOf, imageNameOf } from './image-name.ts'

const names = z
  .array(z.string())
  .nullish()
  .transform((all) => (all ?? []).filter((name) => !name.includes('<none>')).map(familiar))

const shared = {
  Id: z.string().transform((id) => imageIdOf(id) ?? id),
  RepoTags: names,
  RepoDigests: names,
  Size: z.number().nonnegative().catch(0),
}

/** An entry of `GET /images/json`. */
export const listedImageSchema = z
  .object({ ...shared, Created: z.number().catch(0) })
  .transform(({ Created: seconds, ...rest }) => imageOf(rest, seconds * 1000))

/** What `GET /images/NAME/json` tells, as far as a store needs it. */
export const inspectedImageSchema = z
  .object({ ...shared, Created: z.string().catch('') })
  .transform(({ Created: time, ...rest }) => imageOf(rest, Date.parse(time)))

/** An image as the engine has it, before it is known who fetched it. */
export type HostImage = Omit<Image, 'pulled'>

interface Fields {
  readonly Id: string
  readonly RepoTags: readonly string[]
  readonly RepoDigests: readonly string[]
  readonly Size: number
}

const imageOf = (fields: Fields, createdMs: number): HostImage => ({
  id: fields.Id,
  references: fields.RepoTags,
  digests: fields.RepoDigests,
  sizeBytes: fields.Size,
  createdAt: instantOf(createdMs),
})

/** Farthest from the epoch that a date can be. */
const maxDateMs = 8_640_000_000_000_000

/**
 * Whole seconds, as lists have them. The beginning of time for images that do not say it, as for
 * those that are reproducible.
 */
const instantOf = (ms: number): Instant =>
  new Date(Math.abs(ms) <= maxDateMs ? Math.trunc(ms / 1000) * 1000 : 0).toISOString()

function familiar(name: string): string {
  return familiarName(imageNameOf(name))
}
