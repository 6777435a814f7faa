export { aManifest } from './a-manifest.ts'
export {
  type InMemoryStore,
  type InMemoryStoreOptions,
  makeInMemoryStore,
} from './in-memory-store.ts'
