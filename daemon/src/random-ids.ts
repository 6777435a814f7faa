import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { agentId, executionId, type Ids, placeholderPrefix, sandboxId } from '@aegis/core'

/** Random ids (UUIDv4), but for agents, whose id follows from their name (UUIDv8, RFC 9562 5.8). */
export const randomIds: Ids = {
  agent: (name) => agentId(nameUuid(`agent:${name}`)),
  execution: () => executionId(randomUUID()),
  sandbox: () => sandboxId(randomUUID()),
  placeholder: () => placeholderPrefix + randomBytes(16).toString('hex'),
}

function nameUuid(name: string): string {
  const bytes = createHash('sha256').update(name).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
