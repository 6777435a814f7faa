import type { NodeConfig } from '@aegis/core'

/** What the operator lets runtimes do without. Deploys and tasks are held to the rest. */
export const weakerForms = ({ spec }: NodeConfig): readonly 'cgroup'[] =>
  spec.runtime.allow_weaker.includes('cgroup') ? ['cgroup'] : []
