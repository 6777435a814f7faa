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
} as const
