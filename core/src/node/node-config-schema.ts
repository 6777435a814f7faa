import * as z from 'zod'
import { isolations } from '../agent/manifest-runtime.ts'
import {
  freeTexts,
  hostPath,
  knownKeys,
  line,
  report,
  rule,
  sizeText,
  wholeNumber,
} from '../kernel/field.ts'
import { llmProvidersSchema, llmSelectionSchema } from './llm-config-schema.ts'
import { securityConfigSchema } from './security-config-schema.ts'

/** Maps of a node config whose keys belong to the user. */
export const configFreeMaps = ['labels', 'images', 'roles']

const port = () => wholeNumber(0, 65_535)

export const nodeSchema = knownKeys({
  id: line().describe('Names this node among others; a UUID by habit'),
  type: z
    .enum(['edge', 'orchestrator', 'hybrid'])
    .default('edge')
    .describe('What part it plays; one machine alone is an `edge`'),
  region: line().optional().describe('For the reader'),
  tags: z.array(line()).max(100).default([]).describe('For the reader'),
  resources: knownKeys({
    cpu_cores: wholeNumber(1, 100_000).describe('Cores'),
    memory_gb: wholeNumber(1, 1_000_000).describe('Gigabytes'),
    disk_gb: wholeNumber(0, 1_000_000_000).describe('Gigabytes'),
    gpu: z.boolean().default(false).describe('Whether it has one'),
  })
    .optional()
    .describe('For the reader; `runtime.capacity` sets what sandboxes may use'),
})

export const runtimeConfigSchema = knownKeys({
  bootstrap_script: line()
    .optional()
    .describe('A Python script in place of the one that comes with AEGIS; relative to this file'),
  default_isolation: z
    .enum(isolations)
    .default('inherit')
    .describe('For manifests that say `inherit`; `inherit` here: the first that this host can do'),
  docker_socket_path: line()
    .optional()
    .describe(
      'Socket of the Docker Engine, or a URL like tcp://host:2376; absent: `DOCKER_HOST`, else /var/run/docker.sock',
    ),
  docker_runtime: line()
    .optional()
    .describe(
      'OCI runtime of all containers, for example `runsc`; absent: the default of the engine',
    ),
  firecracker: knownKeys({
    driver: z
      .enum(['auto', 'firecracker', 'qemu'])
      .default('auto')
      .describe(
        'What runs micro-VMs: `auto` is Firecracker where it is installed and KVM works, else QEMU',
      ),
    firecracker_path: line().optional().describe('Absent: /usr/bin/firecracker'),
    jailer_path: line().optional().describe('Of the same version; absent: /usr/bin/jailer'),
    chroot_base: line()
      .optional()
      .describe(
        'Where the jails of machines are made, on the file system of AEGIS_HOME; absent: in AEGIS_HOME',
      ),
    starts_at_once: wholeNumber(1, 64)
      .default(8)
      .describe('Machines that Firecracker starts at the same time; others wait'),
    qemu_path: line().optional().describe('Absent: /usr/bin/qemu-system-x86_64'),
    qemu_vsock_path: line()
      .optional()
      .describe(
        'A vhost-device-vsock, to try what Firecracker does without KVM: machines of QEMU call over vsock, and make no snapshots. Absent: over a port of a console',
      ),
    snapshots: wholeNumber(0, 10_000)
      .default(16)
      .describe(
        'Most snapshots of agents that are kept to start their sandboxes from; each takes as much disk as its machine has memory. 0: none',
      ),
  })
    .prefault({})
    .describe('Micro-VMs'),
  images: freeTexts()
    .default({})
    .describe(
      'Image of a language, for example `python: registry.local/python:{version}`; others as Docker Hub names them',
    ),
  isolations: z
    .array(z.enum(['process', 'docker', 'firecracker']))
    .default(['process', 'docker', 'firecracker'])
    .describe('What sandboxes may be made of on this node'),
  warm_pool: knownKeys({
    enabled: z.boolean().default(true).describe('Boot sandboxes ahead for agents that are in use'),
    idle_seconds: wholeNumber(1, 86_400)
      .default(60)
      .describe('How long they wait for a task, beyond `advanced.warm_pool_size`'),
    max_size: wholeNumber(0, 10_000).default(16).describe('All agents together'),
  }).prefault({}),
  enable_disk_quotas: z.boolean().default(true).describe('Kept for habit: disk is always limited'),
  docker_network_mode: line().optional().describe('Kept for habit: no sandbox has a network'),
  orchestrator_url: line()
    .default('http://localhost:8000')
    .describe('Kept for habit: agents find the agent API on their own loopback'),
  host_paths: knownKeys({
    read: z.array(hostPath()).max(1000).prefault([]).describe('Paths that agents may read'),
    write: z
      .array(hostPath())
      .max(1000)
      .prefault([])
      .describe('Paths that agents may read and write'),
  }).prefault({}),
  cgroup_parent: z
    .string()
    .superRefine(
      rule((name) =>
        /^[\w-][\w.-]{0,63}(\/[\w-][\w.-]{0,63}){0,7}$/.test(name)
          ? undefined
          : {
              message: `"${name.slice(0, 60)}" cannot be a cgroup.`,
              remedy:
                'Write it relative to the root of the hierarchy, like aegis or system.slice/aegis.',
            },
      ),
    )
    .default('aegis')
    .describe('Control group below which the groups of the sandboxes are made'),
  allow_weaker: z
    .array(z.enum(['cgroup', 'isolation']))
    .default([])
    .describe(
      'What may be weaker: `cgroup` (no limits of memory, cpu and processes where the host has none), `isolation` (a task may ask for less than the manifest does)',
    ),
  uid_range: knownKeys({
    first: wholeNumber(1000, 4_294_000_000).default(1_900_000_000).describe('First host uid'),
    count: wholeNumber(1, 1_048_576).default(65_536).describe('How many'),
  })
    .prefault({})
    .describe('Host uids lent to sandboxes when the daemon runs as root'),
  capacity: knownKeys({
    cpu_millicores: wholeNumber(10, 100_000_000)
      .optional()
      .describe('Absent: what the machine has'),
    memory: sizeText(16 * 2 ** 20, 2 ** 52)
      .optional()
      .describe('Absent: what the machine has'),
    max_concurrent: wholeNumber(1, 100_000).optional().describe('Sandboxes at a time'),
  })
    .prefault({})
    .describe('What all sandboxes together may use'),
  output_limit: sizeText(1024, 2 ** 40)
    .default('16Mi')
    .describe('What one command may print before its sandbox is ended'),
})

export const networkConfigSchema = knownKeys({
  bind_address: line().default('127.0.0.1').describe('Address of the HTTP API'),
  port: port().default(8000).describe('Of the HTTP API; 0 takes a free one'),
  grpc_port: port().default(50_051).describe('Kept, not used yet'),
  orchestrator_endpoint: line().optional().describe('Kept, not used yet'),
  heartbeat_interval_seconds: wholeNumber(1, 86_400).default(30).describe('Kept, not used yet'),
  tls: knownKeys({
    cert_path: line().describe('PEM file, relative to this one; may be self-signed'),
    key_path: line().describe('PEM file'),
    ca_path: line()
      .optional()
      .describe(
        'PEM file; then each client needs a certificate it signed. `aegis` shows that of the node',
      ),
  })
    .optional()
    .describe('Serve the API over TLS'),
})

export const observabilitySchema = knownKeys({
  logging: knownKeys({
    level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error'])
      .default('info')
      .describe('`--log-level`, `AEGIS_LOG_LEVEL` and `RUST_LOG` go before'),
    format: z.enum(['json', 'text']).default('json').describe('Of a line'),
    file: line()
      .optional()
      .describe('Relative to this file. Absent: the standard error of the daemon'),
  }).prefault({}),
  metrics: knownKeys({
    enabled: z.boolean().default(true).describe('Serve them: GET /metrics on the port of the API'),
    port: port().default(9090).describe('Kept for habit: it is the port of the API'),
    path: z
      .string()
      .regex(/^\/\S{0,200}$/, 'Begin it with /.')
      .default('/metrics')
      .describe('Kept for habit: it is always /metrics'),
  }).prefault({}),
  tracing: knownKeys({
    enabled: z.boolean().default(false).describe('Kept, not used yet'),
    otlp_endpoint: line().optional().describe('Kept, not used yet'),
  }).prefault({}),
})

/** What the `apiVersion` form has below `spec`, and the flat form at the top, besides `node`. */
export const configSections = {
  llm_providers: llmProvidersSchema,
  llm_selection: llmSelectionSchema.prefault({}),
  runtime: runtimeConfigSchema.prefault({}),
  network: networkConfigSchema.prefault({}),
  security: securityConfigSchema.prefault({}),
  observability: observabilitySchema.prefault({}),
}

/** A provider that is named must be there. */
export function checkProviderNames(
  sections: {
    llm_providers: readonly { name: string }[]
    llm_selection: { default_provider?: string | undefined; fallback_provider?: string | undefined }
  },
  context: z.core.$RefinementCtx<unknown>,
): void {
  const names = sections.llm_providers.map(({ name }) => name)
  for (const key of ['default_provider', 'fallback_provider'] as const) {
    const named = sections.llm_selection[key]
    if (named === undefined || names.includes(named)) continue
    const finding = {
      message: `There is no provider "${named.slice(0, 60)}".`,
      remedy: names.length === 0 ? 'Add it to llm_providers.' : `Use one of ${names.join(', ')}.`,
    }
    report(context, finding, ['llm_selection', key])
  }
}

/** The `apiVersion` form of a node config: what a file may say, and what becomes of it. */
export const nodeConfigSchema = knownKeys({
  apiVersion: z.literal('100monkeys.ai/v1').describe('Names the form'),
  kind: z.literal('NodeConfig').describe('Tells it from a manifest'),
  metadata: knownKeys({
    name: line().describe('Of the node, in `aegis daemon status`'),
    version: line().optional().describe('Of this file; any text'),
    labels: freeTexts().default({}).describe('Free texts'),
  }),
  spec: knownKeys({ node: nodeSchema, ...configSections }).superRefine(checkProviderNames),
})

/** The flat form, as the product description shows it. */
export const flatNodeConfigSchema = knownKeys({
  node: knownKeys({ ...nodeSchema.shape, name: line().optional() }),
  ...configSections,
}).superRefine(checkProviderNames)
