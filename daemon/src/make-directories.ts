import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a directory and those above it that are missing. Unlike Node's own recursive mkdir it ends
 * where the system refuses with ENOENT below a directory that exists, as /proc does.
 */
export function makeDirectories(path: string): void {
  if (existsSync(path)) return
  const parent = dirname(path)
  if (!existsSync(parent)) makeDirectories(parent)
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Somebody else was quicker.
    if (!existsSync(path)) throw error
  }
}
