import { createPublicKey, hash, verify } from 'node:crypto'
import { makeMerkleHash, type NoteCrypto } from '@aegis/core/audit'

/** What the pure part of the audit computes with. */
export const auditCrypto: NoteCrypto = {
  sha256: (data) => hash('sha256', data, 'buffer'),
  verify(publicKey, text, signature) {
    const der = Buffer.concat([spkiPrefix, publicKey])
    return verify(null, text, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature)
  },
}

export const merkleHash = makeMerkleHash(auditCrypto.sha256)

/** What stands before an Ed25519 public key in DER (RFC 8410). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')
