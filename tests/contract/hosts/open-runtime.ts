import type { SandboxRuntime } from '@aegis/core'
import { openProcessRuntime, type ProcessRuntimeOptions } from '@aegis/runtime-process'

/** A runtime and its state, in a form that can be sent to another process. */
export type RuntimeChoice = {
  readonly runtime: 'process'
  readonly options: ProcessRuntimeOptions
}

/** Knows nothing of vitest, so that other processes can use it. */
export async function openRuntime(choice: RuntimeChoice): Promise<SandboxRuntime> {
  switch (choice.runtime) {
    case 'process':
      return openProcessRuntime(choice.options)
  }
}
