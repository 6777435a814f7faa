import { Readable } from 'node:stream'
import { decompress } from '../archive/decompress.ts'
import { isBzImage } from '../inspect-kernel.ts'
import { invalidKernel } from '../invalid-kernel.ts'
import { kernelLimits } from '../kernel-limits.ts'
import { lz4Magic, unpackLz4 } from './unpack-lz4.ts'

/** Where the header of a bzImage says what. */
const header = { setupSectors: 0x1f1, version: 0x206, payloadOffset: 0x248, payloadLength: 0x24c }

/** Payloads are told of since this version of the boot protocol. */
const payloadVersion = 0x208

/**
 * The vmlinux inside a bzImage, as Linux distributions ship their kernels.
 * @throws AegisError `invalid` / `kernel.invalid` · `unsupported` / `kernel.no-xz`
 */
export async function unpackBzImage(file: Buffer, signal: AbortSignal): Promise<Buffer> {
  if (!isBzImage(file) || file.length < header.payloadLength + 4)
    throw invalidKernel('is not a bzImage')
  if (file.readUInt16LE(header.version) < payloadVersion)
    throw invalidKernel('is a bzImage that does not say where its kernel is')
  // The real-mode part is one sector, and so many more; none means four.
  const sectors = 1 + (file.readUInt8(header.setupSectors) || 4)
  const start = sectors * 512 + file.readUInt32LE(header.payloadOffset)
  const length = file.readUInt32LE(header.payloadLength)
  if (length < 8 || start + length > file.length)
    throw invalidKernel('is a bzImage that says of its kernel what cannot be')
  const payload = file.subarray(start, start + length)
  if (payload.subarray(0, 4).equals(lz4Magic)) return unpackLz4(payload, kernelLimits.kernelBytes)
  const compression = compressions.find(([, magic]) =>
    payload.subarray(0, magic.length).equals(magic),
  )
  if (compression === undefined)
    throw invalidKernel('is a bzImage whose kernel is packed in an unknown way')
  const [kind] = compression
  // The build appends the unpacked size to all but gzip, which has it anyway.
  const packed = kind === 'gz' ? payload : payload.subarray(0, -4)
  const parts = await Array.fromAsync(
    decompress(Readable.from([packed]), kind, { maxBytes: kernelLimits.kernelBytes, signal }),
  )
  return Buffer.concat(parts)
}

const compressions = [
  ['gz', Buffer.from('1f8b', 'hex')],
  ['xz', Buffer.from('fd377a585a00', 'hex')],
  ['zst', Buffer.from('28b52ffd', 'hex')],
] as const
