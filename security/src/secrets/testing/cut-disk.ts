import { writeFile } from 'node:fs/promises'
import { type VaultDisk, vaultDisk } from '../vault-disk.ts'

/** How a disk fails: the step is not done, half done, or done without an answer. */
export type Cut = 'before' | 'half' | 'after'

/**
 * A disk on which all ends at one step, as when the machine is switched off there. `recovers`: only
 * that step fails.
 */
export function makeCutDisk(
  atStep: number,
  cut: Cut,
  end: () => Promise<never>,
  { recovers = false } = {},
) {
  let steps = 0
  const step = async (act: () => Promise<void>, half: () => Promise<void> = act) => {
    steps += 1
    if (steps < atStep || (recovers && steps > atStep)) return act()
    if (steps === atStep && cut === 'after') await act()
    if (steps === atStep && cut === 'half') await half()
    return end()
  }
  const disk: VaultDisk = {
    read: vaultDisk.read,
    write: (path, text) =>
      step(
        () => vaultDisk.write(path, text),
        () => writeFile(path, text.slice(0, text.length / 2), { mode: 0o600 }),
      ),
    rename: (from, to) => step(() => vaultDisk.rename(from, to)),
    remove: (path) => step(() => vaultDisk.remove(path)),
    settle: (folder) => step(() => vaultDisk.settle(folder)),
  }
  return { disk, steps: () => steps }
}

export const cutOff = async (): Promise<never> => {
  throw new Error('cut off')
}
