import { formatYaml } from '../kernel/format-yaml.ts'
import type { AgentManifest } from './agent-manifest.ts'

/**
 * The manifest as YAML that can be deployed again: parsing it gives the same manifest. Every value
 * is written out; empty lists and maps are left out.
 */
export function formatManifest(manifest: AgentManifest): string {
  const { apiVersion, kind, metadata, spec } = manifest
  const { runtime, task, context, execution, security, schedule, tools, env, advanced } = spec
  const { labels, annotations, ...about } = metadata
  const { agentskills, ...work } = task
  return formatYaml({
    apiVersion,
    kind,
    metadata: { ...about, ...filled({ labels, annotations }) },
    spec: {
      runtime,
      task: { ...work, ...filled({ agentskills }) },
      ...filled({ context }),
      execution,
      security,
      schedule,
      ...filled({ tools, env }),
      advanced,
    },
  })
}

/** The entries that hold something. */
const filled = (lists: Readonly<Record<string, object>>): object =>
  Object.fromEntries(Object.entries(lists).filter(([, list]) => Object.keys(list).length > 0))
