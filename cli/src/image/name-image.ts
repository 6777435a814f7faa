import type { Image, PinnedImage } from '@aegis/core'

const shownDigits = 12

/** `3f2a9c01b7de` of `sha256:3f2a9c01b7de…`, as Docker shows it. */
export const shortImageId = (id: string): string => id.replace(/^sha256:/, '').slice(0, shownDigits)

/** `python:3.11, python:latest`; an image that lost its tags goes by its digest. */
export function nameImage({ references, digests }: Pick<Image, 'references' | 'digests'>): string {
  if (references.length > 0) return references.join(', ')
  return digests[0] ?? 'no name'
}

/** `python:3.11 (python@sha256:…)`, whole, so that the same image can be had again. */
export const namePinned = ({ reference, id, digest }: PinnedImage): string =>
  `${reference} (${digest ?? id})`
