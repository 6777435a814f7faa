export { type ApiToken, openApiToken, readApiToken } from './api-token.ts'
