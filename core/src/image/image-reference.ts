import type { AgentManifest } from '../agent/agent-manifest.ts'
import { AegisError } from '../kernel/aegis-error.ts'

/** What Docker Hub names the images of the languages that go by another name there. */
const defaultImages: ReadonlyMap<string, string> = new Map([
  ['javascript', 'node:{version}'],
  ['typescript', 'node:{version}'],
  ['go', 'golang:{version}'],
])

/** `[registry/]name[:tag][@digest]`, see the OCI distribution specification 1.1. */
const referencePattern =
  /^([a-zA-Z0-9][a-zA-Z0-9.-]*(:\d{1,5})?\/)?[a-z0-9][a-z0-9._-]*(\/[a-z0-9][a-z0-9._-]*)*(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/

/** Longest reference that is accepted, as in a manifest. */
const maxReferenceCharacters = 255

/**
 * The image a manifest asks for: its own, else what `table` says of its language, else the one of
 * that name.
 * @throws AegisError `invalid` / `image.reference`
 */
export function imageReferenceOf(
  { spec }: AgentManifest,
  table: Readonly<Record<string, string>>,
): string {
  const { language, version, image } = spec.runtime
  if (image !== undefined) return parseImageReference(image)
  const name = language.toLowerCase()
  const own = Object.hasOwn(table, name) ? table[name] : defaultImages.get(name)
  const template = own ?? `${name}:{version}`
  return parseImageReference(template.replaceAll('{version}', () => version))
}

/** @throws AegisError `invalid` / `image.reference` */
export function parseImageReference(text: string): string {
  if (text.length <= maxReferenceCharacters && referencePattern.test(text)) return text
  throw new AegisError(
    'invalid',
    'image.reference',
    `"${text.slice(0, 100)}" cannot be the name of an image. Write it like python:3.11 or ghcr.io/acme/agent:1.2.`,
  )
}
