import { openSecretVault } from '../open-secret-vault.ts'
import { makeCutDisk } from './cut-disk.ts'

/** Rotates the key of a vault and is killed by SIGKILL after one step on the disk. */
const [path = '', keyPath = '', step = ''] = process.argv.slice(2)
const killed = async (): Promise<never> => {
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => {})
}
const { disk } = makeCutDisk(Number(step), 'after', killed)
const vault = await openSecretVault({
  path,
  keyPath,
  key: { kind: 'file' },
  variable: () => undefined,
  disk,
})
await vault.rotate()
