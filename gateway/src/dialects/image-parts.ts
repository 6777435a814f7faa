import type { ContentPart } from '../chat/chat.ts'

const dataUrl = /^data:([a-z]+\/[a-z0-9.+-]+);base64,([A-Za-z0-9+/=]+)$/i

/** An image by its URL; a `data:` URL is the image itself. */
export function imageAt(url: string): ContentPart {
  const [, mediaType, base64] = dataUrl.exec(url) ?? []
  return mediaType === undefined || base64 === undefined
    ? { type: 'image-url', url }
    : { type: 'image', mediaType, base64 }
}

/** An image of unknown type, told from its first bytes. */
export function imageOf(base64: string): ContentPart {
  const types: readonly (readonly [string, string])[] = [
    ['iVBORw0KGgo', 'image/png'],
    ['/9j/', 'image/jpeg'],
    ['R0lGOD', 'image/gif'],
    ['UklGR', 'image/webp'],
  ]
  const known = types.find(([start]) => base64.startsWith(start))
  return { type: 'image', mediaType: known?.[1] ?? 'image/png', base64 }
}
