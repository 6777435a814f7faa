import type { AgentManifest, ManifestSpec } from '../agent/agent-manifest.ts'

interface Changes {
  readonly version?: string
  readonly runtime?: Partial<ManifestSpec['runtime']>
  readonly task?: Partial<ManifestSpec['task']>
  readonly execution?: Partial<ManifestSpec['execution']>
  readonly resources?: Partial<ManifestSpec['security']['resources']>
  readonly network?: Partial<ManifestSpec['security']['network']>
  readonly filesystem?: Partial<ManifestSpec['security']['filesystem']>
  readonly context?: ManifestSpec['context']
  readonly secrets?: ManifestSpec['secrets']
  readonly advanced?: Partial<ManifestSpec['advanced']>
}

/** A small canonical manifest for tests, with some of it changed. */
export function aManifest(name: string, changes: Changes = {}): AgentManifest {
  return {
    apiVersion: '100monkeys.ai/v1',
    kind: 'AgentManifest',
    metadata: { name, version: changes.version ?? '1.0.0', labels: {}, annotations: {} },
    spec: {
      runtime: {
        language: 'javascript',
        version: '24',
        isolation: 'inherit',
        sandbox: 'default',
        autopull: true,
        image_pull_policy: 'IfNotPresent',
        model: 'default',
        ...changes.runtime,
      },
      task: { agentskills: [], prompt_template: '{{input}}', ...changes.task },
      context: changes.context ?? [],
      execution: { mode: 'one-shot', max_retries: 5, ...changes.execution },
      security: {
        network: {
          mode: 'none',
          allowlist: [],
          denylist: [],
          http: [],
          opaque: [],
          limits: {},
          ...changes.network,
        },
        filesystem: { read: [], write: [], read_only: false, ...changes.filesystem },
        resources: {
          cpu: 250,
          memory: '128Mi',
          disk: '64Mi',
          timeout: '60s',
          pids: 64,
          gpu: 0,
          ...changes.resources,
        },
      },
      tools: [],
      env: {},
      secrets: changes.secrets ?? {},
      advanced: { warm_pool_size: 0, swarm_enabled: false, ...changes.advanced },
    },
  }
}
