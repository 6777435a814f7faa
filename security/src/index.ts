export { type ApiToken, openApiToken, readApiToken } from './access/local-token.ts'
export { isOwnToken, mintToken } from './access/mint-token.ts'
export { isJwt } from './access/oidc-authenticator.ts'
export { openOidc } from './access/open-oidc.ts'
export { openTokenAuthenticator, type TokenAuthenticator } from './access/token-authenticator.ts'
export { auditCrypto } from './audit/audit-crypto.ts'
export { checkWitness } from './audit/check-witness.ts'
export { type ExportOutcome, exportLog, type ReadableLog } from './audit/export-log.ts'
export { openAuditNotary } from './audit/open-audit-notary.ts'
export { startRetention } from './audit/retention.ts'
export { verifyExport } from './audit/verify-export.ts'
export { readVerifierKey, verifyHome } from './audit/verify-home.ts'
export { openPolicyEngine, type PolicyEngineOptions } from './policy/open-policy-engine.ts'
export { readOperatorPolicies } from './policy/operator-policies.ts'
export { policySchema } from './policy/policy-schema.ts'
export {
  type OpenedVault,
  openSecretVault,
  type SecretVaultOptions,
} from './secrets/open-secret-vault.ts'
export { makeSigningKey, signManifest } from './supply/manifest-signing.ts'
export { openImageKeys } from './supply/open-image-keys.ts'
export { openManifestKeys } from './supply/open-manifest-keys.ts'
