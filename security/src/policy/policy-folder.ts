import { type FSWatcher, readdirSync, readFileSync, statSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { PolicyFile } from '@aegis/core'

const maxFiles = 200
const maxFileBytes = 1024 * 1024

/** How long a change must be over before the folder is read: files are seldom written at once. */
const settleMs = 100
const checkEveryMs = 1000

/** All `*.cedar` of a folder by name; undefined where there is no such folder. */
export function readPolicyFolder(folder: string): readonly PolicyFile[] | undefined {
  const names = policyNames(folder)
  return names?.map((name) => {
    const path = join(folder, name)
    if (statSync(path).size > maxFileBytes) {
      throw new Error(`${name} is larger than ${maxFileBytes} bytes. Split it.`)
    }
    return { name, text: new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path)) }
  })
}

/** Changes whenever the files do; also when they cannot be read. */
export function folderSignature(folder: string): string {
  try {
    const names = policyNames(folder)
    if (names === undefined) return 'absent'
    return names
      .map((name) => {
        const { mtimeMs, ctimeMs, size, ino } = statSync(join(folder, name))
        return [name, mtimeMs, ctimeMs, size, ino].join(' ')
      })
      .join('\n')
  } catch (error) {
    return String(error)
  }
}

function policyNames(folder: string): readonly string[] | undefined {
  let all: readonly string[]
  try {
    all = readdirSync(folder)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  const names = all.filter((name) => name.endsWith('.cedar') && !name.startsWith('.')).toSorted()
  if (names.length <= maxFiles) return names
  throw new Error(`It holds ${names.length} policy files, and at most ${maxFiles} are read.`)
}

/**
 * Calls back once a change of the folder is over that came after its signature was `since`. It looks once a second besides, since no
 * notification can be relied on, and keeps no process alive.
 */
export function watchPolicyFolder(folder: string, since: string, changed: () => void): Disposable {
  let signature = since
  let settling: NodeJS.Timeout | undefined
  let watcher: FSWatcher | undefined

  const settle = (): void => {
    settling = undefined
    const now = folderSignature(folder)
    if (now === signature) return
    signature = now
    changed()
  }
  const notice = (): void => {
    clearTimeout(settling)
    settling = setTimeout(settle, settleMs).unref()
  }
  const check = setInterval(() => {
    if (settling === undefined && folderSignature(folder) !== signature) notice()
  }, checkEveryMs).unref()
  try {
    watcher = watch(folder, { persistent: false }, notice)
    watcher.on('error', () => watcher?.close())
  } catch {
    // No such folder yet: the look once a second finds it.
  }
  return {
    [Symbol.dispose]() {
      clearTimeout(settling)
      clearInterval(check)
      watcher?.close()
    },
  }
}
