import * as z from 'zod'

/** What a signature says of an image. */
export interface SigningClaim {
  /** `sha256:…` of its manifest. */
  readonly digest: string
  /** The name under which it was signed; it may have been copied elsewhere since. */
  readonly reference: string
}

const claimSchema = z.object({
  critical: z.object({
    type: z.literal('cosign container image signature'),
    image: z.object({ 'docker-manifest-digest': z.string().regex(/^sha256:[0-9a-f]{64}$/) }),
    identity: z.object({ 'docker-reference': z.string().min(1).max(512) }),
  }),
})

/** Reads a payload of the simple signing format; undefined for anything else. */
export function readSigningClaim(payload: Uint8Array): SigningClaim | undefined {
  const parsed = claimSchema.safeParse(jsonOf(payload))
  if (!parsed.success) return undefined
  const { image, identity } = parsed.data.critical
  return { digest: image['docker-manifest-digest'], reference: identity['docker-reference'] }
}

function jsonOf(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    return undefined
  }
}
