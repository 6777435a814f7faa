export type { WeakerForm } from './check-spec.ts'
export { sandboxPath } from './mount-plan.ts'
export { openProcessRuntime, type ProcessRuntimeOptions } from './process-runtime.ts'
export type { RuntimeLogger } from './process-sandbox.ts'
