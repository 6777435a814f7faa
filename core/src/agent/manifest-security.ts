import * as z from 'zod'
import {
  durationText,
  hostPath,
  knownKeys,
  report,
  rule,
  sizeText,
  wholeNumber,
} from '../kernel/field.ts'
import { maxTimeoutMs } from './manifest-runtime.ts'
import { checkNetworkEntry } from './network-entry.ts'
import { networkLimitsSchema } from './network-limits.ts'

/** Least that a sandbox boots with. */
export const minMemoryBytes = 16 * 2 ** 20
export const minDiskBytes = 2 ** 20
/** 64 Ti. */
export const maxSizeBytes = 64 * 2 ** 40

export const networkEntry = () =>
  z.string().max(300).toLowerCase().superRefine(rule(checkNetworkEntry))

const networkEntries = () => z.array(networkEntry()).max(1000).prefault([])

const httpRuleSchema = knownKeys({
  host: networkEntry().describe('Written as an entry of the allowlist'),
  methods: z
    .array(
      z
        .string()
        .toUpperCase()
        .regex(/^[A-Z]{1,20}$/, 'Write it like GET.'),
    )
    .min(1)
    .max(20)
    .optional()
    .meta({ default: 'all' })
    .describe('Such as `[GET, HEAD]`'),
  paths: z
    .array(
      z
        .string()
        .max(2048)
        .regex(/^[/*][!-~]*$/, 'Begin it with /, and write it in ASCII, like /repos/*.'),
    )
    .min(1)
    .max(100)
    .optional()
    .meta({ default: 'all' })
    .describe('`*` stands for any text, also with slashes; the query does not count'),
  headers: z
    .record(
      z
        .string()
        .toLowerCase()
        .regex(/^[a-z0-9-]{1,80}$/, 'Write the name of a header, like accept.'),
      z.string().max(1024),
    )
    .optional()
    .meta({ default: 'all' })
    .describe('Headers that a request must have; `*` stands for any text'),
})

const networkSchema = knownKeys({
  mode: z
    .enum(['none', 'allow', 'deny'])
    .optional()
    .meta({ default: 'none' })
    .describe(
      '`none`; `allow`: only the allowlist; `deny`: everything public but the denylist, where the node permits that. `allow` when an allowlist is given',
    ),
  allowlist: networkEntries().describe(
    '`host`, `host:port`, `*.suffix`, or an address range; ports 80 and 443 unless one is named',
  ),
  denylist: networkEntries().describe(
    'Never reached, whatever permits it; written as the allowlist, but without a port it is for all ports, and a range holds for names that lead into it, too',
  ),
  http: z
    .array(httpRuleSchema)
    .max(200)
    .prefault([])
    .describe('Requests that may be made, where a host as a whole is too much'),
  opaque: networkEntries().describe(
    'Hosts whose TLS passes unread although the agent has secrets; written as the allowlist',
  ),
  limits: networkLimitsSchema
    .prefault({})
    .describe("Budgets of one iteration; absent ones are the node's"),
})
  .superRefine(({ mode, ...lists }, context) => {
    if (mode === undefined || mode === 'allow') return
    for (const name of ['allowlist', 'http'] as const) {
      if (lists[name].length === 0) continue
      report(
        context,
        {
          message: `It has no effect with mode ${mode}.`,
          remedy: `Use mode: allow, or remove ${name}.`,
        },
        [name],
      )
    }
  })
  .transform(({ mode, ...network }) => ({
    mode:
      mode ??
      (network.allowlist.length + network.http.length > 0 ? ('allow' as const) : ('none' as const)),
    ...network,
  }))

const filesystemSchema = knownKeys({
  read: z
    .array(hostPath())
    .max(100)
    .prefault([])
    .describe('Host paths to read, where the node shares them'),
  write: z
    .array(hostPath())
    .max(100)
    .prefault([])
    .describe('Host paths to write, where the node shares them'),
  read_only: z.boolean().default(false).describe('/workspace is read-only for the agent'),
})

const resourcesSchema = knownKeys({
  cpu: wholeNumber(10, 1_024_000).default(1000).describe('Thousandths of a core, 10 to 1024000'),
  memory: sizeText(minMemoryBytes, maxSizeBytes)
    .optional()
    .meta({ default: '512Mi' })
    .describe('16Mi or more; files in /workspace and /tmp count'),
  disk: sizeText(minDiskBytes, maxSizeBytes)
    .default('1Gi')
    .describe('1Mi or more; for /workspace and /tmp, each'),
  timeout: durationText(1000, maxTimeoutMs())
    .optional()
    .meta({ default: '300s' })
    .describe(
      'Wall-clock time of a whole execution, without the time its image takes to be fetched; 1s to 168h',
    ),
  pids: wholeNumber(4, 100_000)
    .default(256)
    .describe('Processes and threads together, 4 to 100000'),
  gpu: wholeNumber(0, 64).default(0).describe('Graphics cards, with `isolation: docker`'),
})

/** All of it is optional: what is not permitted is denied. */
export const securitySchema = knownKeys({
  network: networkSchema.prefault({}),
  filesystem: filesystemSchema.prefault({}),
  resources: resourcesSchema.prefault({}),
})
