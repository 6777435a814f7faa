/** What the API bears, each to be found in docs/reference/http-api.md. */
export const limits = {
  /** A body; as large as that of the reference. */
  bodyBytes: 2 * 1024 * 1024,
  /** Arrays and objects inside one another in a JSON body. */
  bodyDepth: 100,
  headerBytes: 16 * 1024,
  connections: 2_048,
  streams: 1_024,
  /** For the whole head of a request. */
  headersTimeoutMs: 10_000,
  /** For the whole request. */
  requestTimeoutMs: 30_000,
  /** Of a connection between two requests. */
  idleTimeoutMs: 60_000,
  /** Between two signs of life on an event stream. */
  keepAliveMs: 15_000,
  /**
   * A reader of an event stream that takes nothing for so long is cut off, and may resume. Node
   * grants a second such period when the kernel took some bytes in the first.
   */
  stalledReaderMs: 30_000,
  /** Between two looks whether the token of an event stream still opens anything. */
  recheckMs: 15_000,
  /** Of one pull, while the reader is slow; the oldest are left out. */
  unreadProgress: 100,
  /** For requests under way when the API closes. */
  closeTimeoutMs: 5_000,
} as const
