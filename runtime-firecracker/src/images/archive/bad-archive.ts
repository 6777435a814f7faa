import { AegisError } from '@aegis/core'

/** What was handed over as an image is none, or one that nobody should boot. */
export const badArchive = (because: string, cause?: unknown): AegisError =>
  new AegisError(
    'invalid',
    'image.archive',
    `This is no usable image: ${because}. Save it again: docker save NAME`,
    cause === undefined ? {} : { cause },
  )

export const tooLarge = (what: string): AegisError =>
  new AegisError('invalid', 'image.too-large', `The image has ${what}. Choose a smaller image`)
