/** Every bound of the gateway. What comes from a sandbox is hostile; what comes from a provider may be. */
export const limits = {
  /** Bytes of one request's body. */
  requestBytes: 4 * 1024 * 1024,
  /** Bytes of one request's head. */
  headBytes: 16 * 1024,
  headerCount: 100,
  /** Nesting of arrays and objects in a request. */
  jsonDepth: 64,
  /** Open connections of one sandbox. */
  connections: 128,
  /** Requests of one sandbox in flight. */
  requests: 32,
  /** From a connection's start, or a request's first byte, to the end of its head. */
  headMs: 30_000,
  /** From the end of the head to the end of the body. */
  bodyMs: 60_000,
  /** Between two requests of one connection. */
  idleMs: 120_000,
  /** How long a refused request may go on sending before its connection is cut. */
  lingerMs: 1_000,
  /** Longest time an agent may leave an answer unread. */
  unreadMs: 300_000,

  /** Bytes of a provider's whole answer. */
  answerBytes: 32 * 1024 * 1024,
  /** Bytes of one event or line of a provider's stream. */
  frameBytes: 4 * 1024 * 1024,
  /** Bytes of a provider's error body that are looked at. */
  errorBytes: 64 * 1024,
  /** Characters of a provider's error message that are passed on. */
  errorChars: 600,
  /** Connections to one provider. */
  providerConnections: 256,
  connectMs: 10_000,

  /** Longest wait between two attempts; a provider that asks for more is not asked again. */
  backoffMs: 30_000,

  /** Bytes of a prompt and of an answer that are recorded. */
  recordedPromptBytes: 64 * 1024,
  recordedAnswerBytes: 256 * 1024,

  /** Texts of one embedding request. */
  embeddingInputs: 2048,
  /** Dimensions of the scripted provider's embeddings. */
  embeddingDimensions: 4096,

  /** Characters of the last message that a scripted rule is matched against. */
  ruleInputChars: 64 * 1024,
  /** Time one rule of a file may take to match. */
  ruleMatchMs: 100,
  rules: 1000,

  /** Different denials of one sandbox that are recorded by themselves. */
  denialsTold: 2000,
  /** Between the first two records of equal denials; then twice as long, and so on, */
  denialRepeatMs: 5_000,
  /** up to this. */
  denialRepeatMostMs: 300_000,
  /** Characters of what a denial is about. */
  denialSubjectCharacters: 300,
  /** Streams of one sandbox that leave it or want to. */
  egressStreams: 250,
  /** Different hosts of one sandbox. */
  egressHosts: 10_000,
  /** From a connection's start to the end of what tells its protocol: a ClientHello, a line. */
  firstBytesMs: 10_000,
  /** How long a client may be silent before its server is given the first word. */
  silentClientMs: 200,
  /** Bytes of a ClientHello, with the heads of its records. */
  clientHelloBytes: 64 * 1024,
  /** Records of TLS that a ClientHello may be spread over. */
  clientHelloRecords: 64,
  /** Bytes of a first line that may still become one of HTTP. */
  firstLineBytes: 16 * 1024,
  /** Looking up a name. */
  resolveMs: 5_000,
  /** Addresses of a name that are looked at. */
  resolvedAddresses: 32,
  /** Connecting to a host of the world, all of its addresses together. */
  dialMs: 10_000,
  /** Connecting to one of them, while there are others. */
  dialAttemptMs: 3_000,
} as const
