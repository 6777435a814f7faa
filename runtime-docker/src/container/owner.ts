import type { SandboxId } from '@aegis/core'

/** Labels of all that AEGIS makes on an engine. */
export const ownerLabel = 'aegis.owner'
export const partLabel = 'aegis.part'

/** How one AEGIS home names what it makes, so that it finds it again and nobody else's. */
export interface Owner {
  /** Unique among all that use the engine, `[a-z0-9]+`. */
  readonly tag: string
  /** Begins all names, and none of anybody else. */
  readonly prefix: string
  container(id: SandboxId): string
  /** Of a read-only workspace. */
  workspace(id: SandboxId): string
  /** Never started: through it, files reach a volume. */
  carrier(volume: string): string
  guest(digest: string): string
  labels(part: Part): Readonly<Record<string, string>>
}

export type Part = 'sandbox' | 'workspace' | 'guest' | 'carrier'

/** Ids of sandboxes have no dots, so no two names are alike. */
export function makeOwner(tag: string): Owner {
  const prefix = `aegis.${tag}.`
  return {
    tag,
    prefix,
    container: (id) => `${prefix}${id}`,
    workspace: (id) => `${prefix}${id}.workspace`,
    carrier: (volume) => `${volume}.carrier`,
    guest: (digest) => `${prefix}guest.${digest}`,
    labels: (part) => ({ [ownerLabel]: tag, [partLabel]: part }),
  }
}
