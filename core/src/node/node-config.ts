import type { Isolation } from '../sandbox/sandbox-spec.ts'
import type { SecurityConfig } from './security-config-schema.ts'

/** A node's configuration in its canonical form; `parseNodeConfig` makes it from either file form. */
export interface NodeConfig {
  readonly apiVersion: '100monkeys.ai/v1'
  readonly kind: 'NodeConfig'
  readonly metadata: {
    readonly name: string
    readonly version?: string | undefined
    readonly labels: Readonly<Record<string, string>>
  }
  readonly spec: {
    readonly node: {
      readonly id: string
      readonly type: 'edge' | 'orchestrator' | 'hybrid'
      readonly region?: string | undefined
      readonly tags: readonly string[]
      readonly resources?:
        | {
            readonly cpu_cores: number
            readonly memory_gb: number
            readonly disk_gb: number
            readonly gpu: boolean
          }
        | undefined
    }
    readonly llm_providers: readonly LlmProviderConfig[]
    readonly llm_selection: LlmSelectionConfig
    readonly runtime: RuntimeConfig
    readonly network: NetworkConfig
    readonly security: SecurityConfig
    readonly observability: ObservabilityConfig
  }
}

export interface LlmProviderConfig {
  readonly name: string
  readonly type: 'ollama' | 'openai' | 'openai-compatible' | 'anthropic' | 'scripted'
  /** Base URL; defaults per type. */
  readonly endpoint: string
  /** `env:NAME` or the key itself; never printed. */
  readonly api_key?: string | undefined
  readonly enabled: boolean
  readonly models: readonly LlmModelConfig[]
  /** Rules file of a `scripted` provider; absent: the built-in rules. */
  readonly rules?: string | undefined
}

export interface LlmModelConfig {
  readonly alias: string
  readonly model: string
  readonly capabilities: readonly string[]
  /** Tokens. */
  readonly context_window: number
  readonly cost_per_1k_tokens: number
}

export interface LlmSelectionConfig {
  readonly strategy: 'prefer-local' | 'prefer-cloud' | 'cost-optimized' | 'latency-optimized'
  readonly default_provider?: string | undefined
  readonly fallback_provider?: string | undefined
  /** Attempts per provider in all, 1 to 20. */
  readonly max_retries: number
  readonly retry_delay_ms: number
  /** Longest wait for a provider's first byte, and between two bytes. */
  readonly timeout_seconds: number
}

export interface RuntimeConfig {
  readonly bootstrap_script?: string | undefined
  readonly default_isolation: 'inherit' | Isolation
  /** A socket path, or a URL such as `tcp://host:2376`. */
  readonly docker_socket_path?: string | undefined
  /** OCI runtime of all containers, for example `runsc`; absent: the engine's default. */
  readonly docker_runtime?: string | undefined
  /** How micro-VMs are run. */
  readonly firecracker: {
    readonly driver: 'auto' | 'firecracker' | 'qemu'
    readonly firecracker_path?: string | undefined
    readonly jailer_path?: string | undefined
    readonly chroot_base?: string | undefined
    readonly starts_at_once: number
    readonly qemu_path?: string | undefined
    /** A vhost-device-vsock, for QEMU. */
    readonly qemu_vsock_path?: string | undefined
    /** Most that are kept. */
    readonly snapshots: number
  }
  /** Image of each language; `{version}` is replaced by the manifest's. */
  readonly images: Readonly<Record<string, string>>
  /** What sandboxes may be made of on this node. */
  readonly isolations: readonly Isolation[]
  readonly warm_pool: {
    readonly enabled: boolean
    /** How long an agent without tasks keeps sandboxes above its floor. */
    readonly idle_seconds: number
    /** Warm sandboxes at a time, of all agents together. */
    readonly max_size: number
  }
  readonly enable_disk_quotas: boolean
  readonly docker_network_mode?: string | undefined
  readonly orchestrator_url: string
  /** Host paths that a manifest's `security.filesystem` may name; everything below is included. */
  readonly host_paths: { readonly read: readonly string[]; readonly write: readonly string[] }
  /** Cgroup below which the sandboxes' groups are made. */
  readonly cgroup_parent: string
  /** Weaker forms that the operator accepts by name, for example `cgroup`. */
  readonly allow_weaker: readonly string[]
  /** Host uids leased to sandboxes when the daemon runs as root. */
  readonly uid_range: { readonly first: number; readonly count: number }
  /** What all sandboxes together may use; absent: what the machine has. */
  readonly capacity: {
    readonly cpu_millicores?: number | undefined
    readonly memory?: string | undefined
    readonly max_concurrent?: number | undefined
  }
  /** Bytes one command may print, for example `16Mi`. */
  readonly output_limit: string
}

export interface NetworkConfig {
  readonly bind_address: string
  readonly port: number
  readonly grpc_port: number
  readonly orchestrator_endpoint?: string | undefined
  readonly heartbeat_interval_seconds: number
  readonly tls?:
    | {
        readonly cert_path: string
        readonly key_path: string
        readonly ca_path?: string | undefined
      }
    | undefined
}

export interface ObservabilityConfig {
  readonly logging: {
    readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error'
    readonly format: 'json' | 'text'
    readonly file?: string | undefined
  }
  readonly metrics: { readonly enabled: boolean; readonly port: number; readonly path: string }
  readonly tracing: { readonly enabled: boolean; readonly otlp_endpoint?: string | undefined }
}
