import * as z from 'zod'
import { roles } from '../access/role.ts'
import { networkEntry } from '../agent/manifest-security.ts'
import { parseNetworkEntry } from '../agent/network-entry.ts'
import { networkLimitsSchema } from '../agent/network-limits.ts'
import {
  durationText,
  knownKeys,
  line,
  maxLineCharacters,
  rule,
  wholeNumber,
} from '../kernel/field.ts'
import { type Finding, quote } from '../kernel/input-error.ts'
import { parseKeySource } from '../secret/key-source.ts'

const day = 24 * 3_600_000

const addressRange = () =>
  networkEntry().superRefine(
    rule((text) => {
      const entry = parseNetworkEntry(text)
      const isRange = !('message' in entry) && entry.kind === 'cidr' && entry.port === undefined
      return isRange
        ? undefined
        : { message: `${text} is not a range of addresses.`, remedy: 'Write it like 10.1.0.0/16.' }
    }),
  )

function checkKeySource(text: string): Finding | undefined {
  const source = parseKeySource(text)
  return 'message' in source ? source : undefined
}

function checkVerifierKey(text: string): Finding | undefined {
  if (/^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$/.test(text)) return undefined
  return {
    message: `${quote(text)} is no verifier key.`,
    remedy: 'Write the line that aegis agent keygen printed, like name+1a2b3c4d+AbCd…',
  }
}

const egressSchema = knownKeys({
  allow_public: z
    .boolean()
    .default(false)
    .describe('Permits manifests with network mode `deny`: everything public but their denylist'),
  reachable_ranges: z
    .array(addressRange())
    .max(100)
    .prefault([])
    .describe(
      'Loopback, link-local and metadata addresses, and those of this host, that a rule of a manifest may name; private ranges need no entry',
    ),
  resolvers: z
    .array(line())
    .max(3)
    .prefault([])
    .describe('Name servers to ask, `address` or `address:port`; absent: those of the host'),
  limits: networkLimitsSchema
    .prefault({})
    .describe('Default and ceiling of what a manifest may ask for'),
})

const auditSchema = knownKeys({
  origin: line().optional().describe('Name of the log in its checkpoints; absent: aegis/<node id>'),
  texts: z
    .boolean()
    .default(false)
    .describe('Keep prompts and answers of models, not only their hashes'),
  retention: durationText(3_600_000, 36_500 * day)
    .optional()
    .describe('Drop the bodies of entries that are older; hashes and proofs stay. Absent: never'),
})

const oidcSchema = knownKeys({
  issuer: z.url().describe('`iss` of its tokens'),
  audience: line().describe('`aud` of its tokens'),
  jwks_uri: z.url().optional().describe('Where its keys are; absent: discovered from the issuer'),
  jwks_path: line().optional().describe('A file with its keys instead, relative to this one'),
  name_claim: line().default('sub').describe('Claim that names the caller'),
  role_claim: line()
    .default('aegis_role')
    .describe('Claim that holds a role, or one or more groups; `a.b` is `b` inside `a`'),
  roles: z
    .record(z.string().min(1).max(maxLineCharacters), z.enum(roles))
    .default({})
    .describe(
      'Role of each group: `admin`, `operator`, `developer` or `viewer`. Absent: the claim holds a role itself',
    ),
})

const accessSchema = knownKeys({
  requests_per_minute: wholeNumber(1, 1_000_000)
    .default(6000)
    .describe('Of one caller; more are refused with 429'),
  failures_per_minute: wholeNumber(1, 100_000)
    .default(60)
    .describe('Wrong tokens from one address; more are refused with 429'),
  allowed_hosts: z
    .array(line())
    .max(100)
    .prefault([])
    .describe('Names under which users reach this node, besides localhost'),
  oidc: oidcSchema.optional().describe('Accepts tokens of an identity provider too'),
})

const supplySchema = knownKeys({
  require_digest: z
    .boolean()
    .default(false)
    .describe('Images must be named by digest: `name@sha256:…`'),
  image_keys: z
    .array(line())
    .max(20)
    .prefault([])
    .describe('Public keys of cosign as PEM files; each image must be signed by one of them'),
  manifest_keys: z
    .array(line().superRefine(rule(checkVerifierKey)))
    .max(20)
    .prefault([])
    .describe('Verifier keys; each manifest must be signed by one of them'),
})

/** What the operator of a node decides about security. */
export const securityConfigSchema = knownKeys({
  policies: line()
    .optional()
    .describe('Folder of policies (*.cedar), relative to this file; absent: AEGIS_HOME/policies'),
  egress: egressSchema.prefault({}).describe('Connections that leave this node for agents'),
  secrets: knownKeys({
    key: line()
      .superRefine(rule(checkKeySource))
      .default('file')
      .describe(
        'What encrypts secrets: `file` (AEGIS_HOME/keys/secrets.key), `env:NAME` a key of 32 bytes in base64, or `passphrase:env:NAME`',
      ),
  }).prefault({}),
  audit: auditSchema.prefault({}),
  access: accessSchema.prefault({}),
  supply: supplySchema.prefault({}),
})

export type SecurityConfig = z.output<typeof securityConfigSchema>
