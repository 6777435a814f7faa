import type { Sandbox } from '@aegis/core'
import { expect } from 'vitest'
import { specWith } from '../sandbox-driver.ts'
import type { SandboxHost } from './sandbox-host.ts'

/** What differs between hosts. */
export interface HostParts
  extends Pick<SandboxHost, 'kind' | 'runtime' | 'home' | 'choice' | 'traces' | 'images'> {
  /** Fills in what each sandbox of this host needs. */
  readonly spec?: SandboxHost['spec']
  /** After the runtime is closed. */
  close(): Promise<void>
}

/** Adds what all hosts do alike: keeping track of what a test booted. */
export function makeHost({ close, ...parts }: HostParts): SandboxHost {
  const booted: Sandbox[] = []
  const spec = parts.spec ?? specWith
  const expectNothingLeft = async () => expect(await parts.traces()).toEqual([])
  return {
    ...parts,
    spec,
    async boot(overrides) {
      const sandbox = await parts.runtime.boot(spec(overrides), new AbortController().signal)
      booted.push(sandbox)
      return sandbox
    },
    expectNothingLeft,
    async tidy() {
      await Promise.all(booted.splice(0).map((sandbox) => sandbox[Symbol.asyncDispose]()))
      await expectNothingLeft()
    },
    async [Symbol.asyncDispose]() {
      await parts.runtime[Symbol.asyncDispose]()
      await close()
    },
  }
}
