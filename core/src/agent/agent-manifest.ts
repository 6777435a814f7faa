import type { Isolation } from '../sandbox/sandbox-spec.ts'

/**
 * An agent's manifest in its canonical form: every default filled in, every alias resolved, every
 * size and duration checked. `parseManifest` makes it from YAML or JSON in any accepted form.
 * Field names are those of the file, so that `agent show` prints what can be deployed again.
 */
export interface AgentManifest {
  readonly apiVersion: '100monkeys.ai/v1'
  readonly kind: 'AgentManifest'
  readonly metadata: ManifestMetadata
  readonly spec: ManifestSpec
}

export interface ManifestMetadata {
  readonly name: string
  readonly version: string
  readonly description?: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export interface ManifestSpec {
  readonly runtime: ManifestRuntime
  readonly task: ManifestTask
  readonly context: readonly ManifestContext[]
  readonly execution: ManifestExecution
  readonly security: ManifestSecurity
  readonly schedule?: ManifestSchedule | undefined
  readonly tools: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Variables that hold a placeholder, by the name of the secret each stands for. */
  readonly secrets: Readonly<Record<string, string>>
  readonly advanced: ManifestAdvanced
}

export interface ManifestRuntime {
  readonly language: string
  readonly version: string
  readonly isolation: 'inherit' | Isolation
  /** `gvisor`: a kernel of its own in user space, for runtimes that have one. */
  readonly sandbox: 'default' | 'gvisor'
  readonly autopull: boolean
  readonly image?: string | undefined
  readonly image_pull_policy: 'Always' | 'IfNotPresent' | 'Never'
  /** Alias of the model that the bootstrap asks for. */
  readonly model: string
  readonly temperature?: number | undefined
}

export interface ManifestTask {
  readonly agentskills: readonly string[]
  readonly instruction?: string | undefined
  /** Handlebars; required unless `command` is given. */
  readonly prompt_template?: string | undefined
  /** An argv that replaces the bootstrap script; the rendered prompt arrives on its stdin. */
  readonly command?: readonly [string, ...string[]] | undefined
  readonly input_data?: unknown
}

/** Files that land in /workspace before the agent starts. `path` is relative to /workspace. */
export type ManifestContext = { readonly description?: string | undefined } & (
  | {
      readonly type: 'text'
      readonly content: string
      /** Where it lands; default `context/<position>.txt`. */
      readonly path?: string | undefined
      readonly encoding: 'utf-8' | 'base64'
    }
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'directory'; readonly path: string }
  | { readonly type: 'url'; readonly url: string }
)

export interface ManifestExecution {
  readonly mode: 'one-shot' | 'iterative'
  /** Most iterations of one execution, 1 to 1000 (`max_iterations` is an alias). */
  readonly max_retries: number
  /** Seconds one iteration may take. */
  readonly timeout_per_iteration?: number | undefined
  readonly validation?: Readonly<Record<string, unknown>> | undefined
  readonly delivery?: Readonly<Record<string, unknown>> | undefined
}

export interface ManifestSecurity {
  readonly network: {
    readonly mode: 'none' | 'allow' | 'deny'
    readonly allowlist: readonly string[]
    readonly denylist: readonly string[]
    readonly http: readonly ManifestHttpRule[]
    /** Hosts whose TLS passes unread although the agent has secrets. */
    readonly opaque: readonly string[]
    readonly limits: ManifestNetworkLimits
  }
  readonly filesystem: {
    readonly read: readonly string[]
    readonly write: readonly string[]
    readonly read_only: boolean
  }
  readonly resources: {
    /** Millicores. */
    readonly cpu: number
    /** Sizes such as `512Mi`; see `parseSize`. */
    readonly memory: string
    readonly disk: string
    /** Wall-clock limit of the whole execution, such as `300s`; see `parseDuration`. */
    readonly timeout: string
    readonly pids: number
    /** Graphics cards. */
    readonly gpu: number
  }
}

/** Requests that an agent may make of a host; what is absent covers all. */
export interface ManifestHttpRule {
  /** Written as an entry of the allowlist. */
  readonly host: string
  /** Upper case. */
  readonly methods?: readonly string[] | undefined
  /** Begin with a slash; a star stands for any text. */
  readonly paths?: readonly string[] | undefined
  /** Names in lower case; a star in a value stands for any text. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Budgets of one iteration; what is absent is the node's to say. Sizes and durations as texts. */
export interface ManifestNetworkLimits {
  readonly connections?: number | undefined
  readonly connections_per_minute?: number | undefined
  readonly bytes_out?: string | undefined
  readonly bytes_in?: string | undefined
  readonly host_bytes_out?: string | undefined
  readonly host_bytes_in?: string | undefined
  readonly bytes_per_second?: string | undefined
  readonly idle_timeout?: string | undefined
  readonly total_timeout?: string | undefined
}

export type ManifestSchedule =
  | {
      readonly type: 'cron'
      readonly cron: string
      readonly timezone: string
      readonly enabled: boolean
    }
  | { readonly type: 'interval'; readonly seconds: number; readonly enabled: boolean }
  | { readonly type: 'manual' }

export interface ManifestAdvanced {
  readonly warm_pool_size: number
  readonly swarm_enabled: boolean
  readonly startup_script?: string | undefined
  readonly health_check?:
    | { readonly path: string; readonly interval_seconds: number; readonly timeout_seconds: number }
    | undefined
}
