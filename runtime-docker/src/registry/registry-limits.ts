/** What a registry may take of this node. */
export const registryLimits = {
  /** From a request to the end of its answer. */
  requestMs: 15_000,
  manifestBytes: 1024 * 1024,
  tokenBytes: 64 * 1024,
  redirects: 3,
  /** Signatures of one image that are looked at. */
  signatures: 50,
  /** What one of them signs. */
  payloadBytes: 64 * 1024,
  /** Manifest, index or configuration of an image. */
  documentBytes: 4 * 1024 * 1024,
  imageLayers: 127,
  /** Indexes within indexes, above the manifest. */
  indexDepth: 3,
  /** A layer that brings nothing for so long is asked for again, from where it stopped. */
  stalledMs: 60_000,
  /** In a row, without a byte between them. */
  attempts: 4,
  /** Before the second attempt; it doubles with each further one. */
  backoffMs: 1_000,
} as const
