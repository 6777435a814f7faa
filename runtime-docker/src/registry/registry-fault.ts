import { AegisError } from '@aegis/core'
import { familiarName, hubRegistry, type ImageName } from '../images/image-name.ts'

const hostOf = ({ registry }: ImageName): string =>
  registry === hubRegistry ? 'Docker Hub' : registry

/** The registry answers, and has no such thing. */
export const absentThere = (name: ImageName): AegisError =>
  new AegisError(
    'not-found',
    'image.absent',
    `${hostOf(name)} has no image ${familiarName(name)}. Check its name and its tag`,
  )

export const otherProcessor = (
  name: ImageName,
  architecture: string,
  has: readonly string[],
): AegisError =>
  new AegisError(
    'not-found',
    'image.absent',
    `${familiarName(name)} exists, but not for the processor of this host (linux/${architecture}${has.length === 0 ? '' : `; it is for ${has.slice(0, 10).join(', ')}`}). Name an image that was built for it`,
  )

/** What it answers is no image, or another than the one that its name says. */
export const noImage = (name: ImageName, because: string): AegisError =>
  new AegisError(
    'invalid',
    'image.pull-failed',
    `${hostOf(name)} holds ${familiarName(name)}, but it cannot be used: ${because}. Push it again, or name another`,
  )

/** May pass. */
export const interrupted = (name: ImageName, cause?: unknown): AegisError =>
  new AegisError(
    'unavailable',
    'image.network',
    `${familiarName(name)} cannot be pulled from ${hostOf(name)}: the connection broke, again and again. See whether this host reaches it, and pull again`,
    cause === undefined ? {} : { cause },
  )

export const isPassing = (error: unknown): boolean =>
  error instanceof AegisError && error.code === 'image.network'
