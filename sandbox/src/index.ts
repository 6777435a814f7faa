export { abortable } from './abortable.ts'
export { type Bootstrap, bootstrapFor } from './bootstrap.ts'
export { locateLauncher } from './box/launcher.ts'
export type {
  LimitBackend,
  LimitGroup,
  LimitHits,
  Living,
  ProcessLimit,
} from './box/limits/limit-group.ts'
export { noHits } from './box/limits/limit-group.ts'
export { openLimits } from './box/limits/open-limits.ts'
export { type Box, type BoxPlan, type Stage, startBox, tryBox } from './box/start-box.ts'
export {
  claimUsers,
  defaultUidRange,
  type UidRange,
  type UserLease,
  type UserLeases,
} from './box/user-leases.ts'
export { checkSpecValues } from './check-spec-values.ts'
export { connectGuest } from './connect-guest.ts'
export { type CpuQuota, cpuQuota } from './cpu-quota.ts'
export { type GuestNetwork, guestNetwork, type SyntheticRange } from './guest-network.ts'
export type { GuestOptions, GuestSession } from './guest-session.ts'
export { checkHostPaths } from './host-paths.ts'
export { locateGuest } from './locate-guest.ts'
export { locateProbe } from './locate-probe.ts'
export type { MachineGuest, QuietGuest } from './machine-guest.ts'
export { type LocateOptions, nativeProgram } from './native-program.ts'
export { makeReseedProofs, type ReseedProofs } from './reseed-proofs.ts'
export type { GuestListener, GuestName, GuestPool } from './wire/messages.ts'
