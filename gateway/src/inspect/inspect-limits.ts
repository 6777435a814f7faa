/** Every bound of the inspector. Both ends of what it reads may be hostile. */
export const inspectLimits = {
  /** Hosts whose certificates are kept ready. */
  certificates: 256,
  /** From the first byte to the end of a handshake of TLS, on either side. */
  handshakeMs: 10_000,
  /** Bytes of the head of a request or an answer. */
  headBytes: 32 * 1024,
  headerCount: 200,
  /** From a connection's start to the end of the head of its first request. */
  headMs: 15_000,
  /** From an answer to the end of the head of the next request. */
  idleMs: 120_000,
  /** Requests of one connection that wait for the answer to the one before. */
  pipelined: 16,
  /** How long a refused request may go on sending before its connection is cut. */
  lingerMs: 1_000,
  /** Bytes of a body that is read whole, so that its signature can be made. */
  signedBodyBytes: 16 * 1024 * 1024,
  /** Of all such bodies of one iteration that are in memory at once. */
  signedBodiesBytes: 64 * 1024 * 1024,
  /** Bytes that a compressed answer may grow to. */
  decodedBytes: 1024 * 1024 * 1024,
  /** Bytes of an answer that are kept back to tell its length. */
  measuredBytes: 64 * 1024,
  /** Heads and payloads of a websocket's frames that wait behind bytes that are kept back. */
  heldFrames: 1024,
  /** All of their bytes. */
  heldFrameBytes: 1024 * 1024,
} as const
