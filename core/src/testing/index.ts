export { aManifest } from './a-manifest.ts'
export { anIdentity } from './an-identity.ts'
export { makeFakeAuditLog, makeFakeNotary } from './fake-notary.ts'
export {
  type InMemoryStore,
  type InMemoryStoreOptions,
  makeInMemoryStore,
} from './in-memory-store.ts'
export { makeInMemoryTokens } from './in-memory-tokens.ts'
export { makeInMemoryVault } from './in-memory-vault.ts'
export { noFigures } from './no-figures.ts'
export { noSupply } from './no-supply.ts'
export { openPolicies, openPolicy } from './open-policies.ts'
export { pureSha256 } from './pure-sha256.ts'
export { forgetfulTrail, makeRecordingTrail, type RecordingTrail } from './recording-trail.ts'
