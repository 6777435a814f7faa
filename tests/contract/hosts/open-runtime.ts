import type { SandboxRuntime } from '@aegis/core'
import {
  type DockerRuntimeOptions,
  openDockerRuntime,
  openEngineClient,
  parseEngineEndpoint,
} from '@aegis/runtime-docker'
import { openProcessRuntime, type ProcessRuntimeOptions } from '@aegis/runtime-process'

/** A runtime and its state, in a form that can be sent to another process. */
export type RuntimeChoice =
  | { readonly runtime: 'process'; readonly options: ProcessRuntimeOptions }
  | {
      readonly runtime: 'docker'
      /** Of the engine: `unix:///…`. */
      readonly engine: string
      readonly options: Omit<DockerRuntimeOptions, 'client' | 'images' | 'logger'>
    }

/** Knows nothing of vitest, so that other processes can use it. */
export async function openRuntime(choice: RuntimeChoice): Promise<SandboxRuntime> {
  switch (choice.runtime) {
    case 'process':
      return openProcessRuntime(choice.options)
    case 'docker':
      return openDockerRuntime({
        client: openEngineClient(parseEngineEndpoint(choice.engine)),
        ...choice.options,
      })
  }
}
