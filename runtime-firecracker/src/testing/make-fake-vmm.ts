import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FakeVmmPlan } from './fake-vmm-plan.ts'

export type { FakeVmmPlan }

export interface FakeVmm {
  readonly firecrackerPath: string
  readonly jailerPath: string
}

/** Writes a pair of executables that behave as planned. */
export async function makeFakeVmm(
  directory: string,
  plan: Partial<FakeVmmPlan> = {},
): Promise<FakeVmm> {
  await mkdir(directory, { recursive: true })
  const full = { version: '1.16.1', ...plan }
  const encoded = Buffer.from(JSON.stringify(full)).toString('base64')
  const program = join(import.meta.dirname, 'fake-vmm.ts')
  const write = async (role: string, says: string) => {
    const path = join(directory, role)
    const node = `${process.execPath} --disable-warning=ExperimentalWarning`
    const version = `if [ "$1" = --version ]; then echo '${says}'; exit; fi`
    await writeFile(
      path,
      `#!/bin/sh\n${version}\nexec ${node} ${program} ${encoded} ${role} "$@"\n`,
    )
    await chmod(path, 0o755)
    return path
  }
  return {
    firecrackerPath: await write('firecracker', `Firecracker v${full.version}`),
    jailerPath: await write('jailer', `Jailer v${full.jailerVersion ?? full.version}`),
  }
}
