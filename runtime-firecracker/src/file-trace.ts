import { stat } from 'node:fs/promises'

/**
 * Another one once a file was written to or replaced; links to it do not count. So a digest that was checked
 * once holds as long as the trace does, but for who writes to the disk behind the kernel's back.
 */
export async function traceOf(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true })
  return `${dev} ${ino} ${size} ${mtimeNs}`
}
