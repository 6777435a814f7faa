import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { whyNotNow } from '../engine/requirements.ts'
import { never } from './hosts/host-scene.ts'
import { cloudKernelHostKind } from './hosts/machine-host.ts'
import { openRuntime } from './hosts/open-runtime.ts'
import { describeShortContract } from './sandbox-contract.ts'

const why = whyNotNow() ?? cloudKernelHostKind.whyNot()

// The runtime is the same, and its contract is run elsewhere: what could differ is seen in this part.
describeShortContract({ ...cloudKernelHostKind, whyNot: () => why }, 'is that of the runtime')

describe.skipIf(why)(`a guest that loads its drivers${why ? ` (${why})` : ''}`, () => {
  it('says why it cannot boot, on a console whose driver it loaded itself', async () => {
    const host = await cloudKernelHostKind.open()
    onTestFinished(() => host[Symbol.asyncDispose]())
    if (host.choice?.runtime !== 'firecracker') throw new Error('It is no machine')
    const image = join(host.home, 'no-image')
    await writeFile(image, '')
    await truncate(image, 1 << 20)
    const stateDirectory = join(host.home, 'other')
    await using runtime = await openRuntime({
      ...host.choice,
      monitor: { ...host.choice.monitor, stateDirectory },
      images: { node: image },
    })
    await expect(runtime.boot(host.spec(), never)).rejects.toThrow(/aegis-guest: mounting/)
  }, 120_000)
})
