/** A reference taken apart as engines do; see the OCI distribution specification 1.1. */
export interface ImageName {
  /** Host of the registry, with its port: `docker.io`, `ghcr.io`, `127.0.0.1:5000`. */
  readonly registry: string
  /** Path within the registry: `library/python`. */
  readonly repository: string
  /** A tag, or a digest as `sha256:…`, which counts where a reference has both. */
  readonly version: string
}

/** Docker Hub, which references need not name. */
export const hubRegistry = 'docker.io'

const idPattern = /^(sha256:)?[0-9a-f]{64}$/
const digestPattern = /^[a-z0-9]+:/

/** The id that a reference is, as `sha256:…`; undefined where it is a name. */
export function imageIdOf(reference: string): string | undefined {
  if (!idPattern.test(reference)) return undefined
  return reference.startsWith('sha256:') ? reference : `sha256:${reference}`
}

/** Takes any text: what cannot be the name of an image gives a name that no image has. */
export function imageNameOf(reference: string): ImageName {
  const [named, digest] = splitAt(reference, reference.indexOf('@'))
  const [path, tag] = splitAt(named, named.indexOf(':', named.lastIndexOf('/') + 1))
  return { ...placeOf(path), version: digest ?? tag ?? 'latest' }
}

/** The whole name, by which every engine finds the image that was meant and no other. */
export function fullName({ registry, repository, version }: ImageName): string {
  return `${registry}/${repository}${digestPattern.test(version) ? '@' : ':'}${version}`
}

/** The name as people write it: without Docker Hub and its `library/` where nothing is lost. */
export function familiarName(name: ImageName): string {
  const shortened = shortPaths(name).find((path) => samePlace(placeOf(path), name))
  if (shortened === undefined) return fullName(name)
  return fullName(name).replace(`${name.registry}/${name.repository}`, () => shortened)
}

const shortPaths = ({ repository }: ImageName): readonly string[] => [
  repository.replace(/^library\//, ''),
  repository,
]

const samePlace = (one: Place, other: Place): boolean =>
  one.registry === other.registry && one.repository === other.repository

type Place = Pick<ImageName, 'registry' | 'repository'>

function placeOf(path: string): Place {
  const [first, rest] = splitAt(path, path.indexOf('/'))
  const isHost = rest !== undefined && (/[.:]/.test(first) || first === 'localhost')
  if (isHost && first !== hubRegistry && first !== `index.${hubRegistry}`)
    return { registry: first, repository: rest }
  const repository = isHost ? rest : path
  const isOfficial = !repository.includes('/')
  return { registry: hubRegistry, repository: isOfficial ? `library/${repository}` : repository }
}

/** What stands before and after the character at `index`; the whole text where there is none. */
const splitAt = (text: string, index: number): readonly [string, string?] =>
  index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)]
