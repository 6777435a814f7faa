export { type LocateLauncherOptions, locateLauncher } from './launcher.ts'
export { sandboxPath } from './mount-plan.ts'
export {
  openProcessRuntime,
  type ProcessRuntimeOptions,
  type RuntimeLogger,
  type WeakerForm,
} from './process-runtime.ts'
export type { UidRange } from './user-leases.ts'
