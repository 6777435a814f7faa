import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FakeVmmPlan } from './fake-vmm-plan.ts'

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
  const encoded = Buffer.from(JSON.stringify({ version: '1.16.1', ...plan })).toString('base64')
  const program = join(import.meta.dirname, 'fake-vmm.ts')
  const write = async (role: string) => {
    const path = join(directory, role)
    const node = `${process.execPath} --disable-warning=ExperimentalWarning`
    await writeFile(path, `#!/bin/sh\nexec ${node} ${program} ${encoded} ${role} "$@"\n`)
    await chmod(path, 0o755)
    return path
  }
  return { firecrackerPath: await write('firecracker'), jailerPath: await write('jailer') }
}
