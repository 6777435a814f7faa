export { type ApiToken, openApiToken, readApiToken } from './api-token.ts'
export { openPolicyEngine, type PolicyEngineOptions } from './policy/open-policy-engine.ts'
