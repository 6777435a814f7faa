export { aManifest } from './a-manifest.ts'
export { anIdentity } from './an-identity.ts'
export {
  type InMemoryStore,
  type InMemoryStoreOptions,
  makeInMemoryStore,
} from './in-memory-store.ts'
export { emptyVault, openPolicies, openPolicy } from './open-policies.ts'
