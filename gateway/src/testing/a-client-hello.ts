/** What a ClientHello of a test holds; right unless it is said otherwise. */
export interface HelloParts {
  readonly serverName?: string | undefined
  /** More than one, which is wrong. */
  readonly serverNames?: readonly string[]
  readonly protocols?: readonly string[]
  readonly encrypted?: boolean
  /** Bytes of an extension that means nothing. */
  readonly padding?: number
  readonly sessionId?: number
  readonly suiteBytes?: number
  /** Its server name, once more. */
  readonly twice?: boolean
  readonly trailing?: number
}

/** The message without records. */
export function aClientHello(parts: HelloParts = {}): Buffer {
  const { serverName, protocols = [], encrypted = false, padding = 0 } = parts
  const names = parts.serverNames ?? (serverName === undefined ? [] : [serverName])
  const nameExtension = names.length === 0 ? [] : [extension(0, vector(2, ...names.map(nameOf)))]
  const extensions = [
    extension(10, Buffer.of(0, 2, 0, 29)),
    ...nameExtension,
    ...(parts.twice === true ? nameExtension : []),
    ...(protocols.length > 0 ? [extension(16, vector(2, ...protocols.map(protocolOf)))] : []),
    ...(encrypted ? [extension(0xfe0d, Buffer.alloc(40))] : []),
    ...(padding > 0 ? [extension(21, Buffer.alloc(padding))] : []),
  ]
  const body = Buffer.concat([
    Buffer.of(3, 3),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(parts.sessionId ?? 32)),
    vector(2, Buffer.alloc(parts.suiteBytes ?? 6)),
    vector(1, Buffer.of(0)),
    vector(2, ...extensions),
    Buffer.alloc(parts.trailing ?? 0),
  ])
  return Buffer.concat([Buffer.of(1, 0), number(2, body.length), body])
}

/** A message in records of at most so many bytes. */
export function recordsOf(message: Buffer, recordBytes: number): Buffer {
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += recordBytes) {
    const part = message.subarray(at, at + recordBytes)
    records.push(Buffer.of(22, 3, 1), number(2, part.length), part)
  }
  return Buffer.concat(records)
}

const nameOf = (name: string): Buffer =>
  Buffer.concat([Buffer.of(0), vector(2, Buffer.from(name, 'latin1'))])

const protocolOf = (protocol: string): Buffer => vector(1, Buffer.from(protocol, 'latin1'))

const extension = (type: number, data: Buffer): Buffer =>
  Buffer.concat([number(2, type), vector(2, data)])

function vector(size: 1 | 2, ...parts: readonly Buffer[]): Buffer {
  const data = Buffer.concat(parts)
  return Buffer.concat([number(size, data.length), data])
}

function number(size: 1 | 2, value: number): Buffer {
  const bytes = Buffer.alloc(size)
  bytes.writeUIntBE(value, 0, size)
  return bytes
}
