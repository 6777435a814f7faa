import { access, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Remembers, past a crash, that things of ours may be on the engine: a file that is there from
 * before the first one is made until all are removed. Without it, no engine need be asked.
 */
export interface UseMarker {
  isSet(): Promise<boolean>
  set(): Promise<void>
  clear(): Promise<void>
}

export function makeUseMarker(stateDirectory: string): UseMarker {
  const path = join(stateDirectory, 'engine-in-use')
  let setting: Promise<void> | undefined
  const write = async () => {
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 })
    await writeFile(path, '')
  }
  return {
    isSet: () =>
      access(path).then(
        () => true,
        () => false,
      ),
    set() {
      const writing = setting ?? write()
      setting = writing
      writing.catch(() => {
        setting = undefined
      })
      return writing
    },
    async clear() {
      setting = undefined
      await rm(path, { force: true })
    },
  }
}
