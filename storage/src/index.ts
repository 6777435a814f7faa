export { openSqliteStore, type SqliteStoreOptions, type Store } from './sqlite-store.ts'
export { openStoreLock } from './store-lock.ts'
