export { bootstrapFor } from './bootstrap.ts'
export { connectGuest } from './connect-guest.ts'
export type { GuestOptions, GuestSession } from './guest-session.ts'
export { locateGuest } from './locate-guest.ts'
