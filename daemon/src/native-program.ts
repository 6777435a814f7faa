import { accessSync, constants, existsSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Home } from './home.ts'

/**
 * A published package brings the compiled programs beside its bundle; a clone compiles them into
 * its own build folder, named by their sources; whoever may not write there uses the home.
 */
export function nativeProgram(
  name: 'guest' | 'launch' | 'probe',
  home: Home,
): { readonly buildDirectory: string; readonly prebuilt?: string } {
  const prebuilt = fileURLToPath(new URL(`./${name}-${arch()}`, import.meta.url))
  if (existsSync(prebuilt)) return { buildDirectory: home.build, prebuilt }
  const clone = fileURLToPath(new URL('../..', import.meta.url))
  return { buildDirectory: isWritable(clone) ? join(clone, 'build') : home.build }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return existsSync(join(directory, 'package.json'))
  } catch {
    return false
  }
}
