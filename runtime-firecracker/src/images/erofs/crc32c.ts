/** Reversed polynomial of Castagnoli's CRC-32. */
const polynomial = 0x82f63b78

/**
 * CRC-32C as EROFS has it: begun with all ones like every other, and not inverted at the end.
 */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? polynomial : 0)
  }
  return crc >>> 0
}
