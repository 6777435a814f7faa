import type { SupplyVerifiers } from '../supply/supply-verifiers.ts'

/** Nothing needs to be signed. */
export const noSupply: SupplyVerifiers = { images: undefined, manifests: undefined }
