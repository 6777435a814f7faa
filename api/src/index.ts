export { type Access, authorization, type Permission } from './authorization.ts'
export type { TlsFiles } from './http-server.ts'
export type { MetricsSource } from './metrics.ts'
export { type Api, type ApiOptions, isExposed, openApi } from './open-api.ts'
