/** Everything that is asked of the policy, in one vocabulary. */
export const agentActions = [
  'network.connect',
  'dns.resolve',
  'fs.read',
  'fs.write',
  'llm.generate',
  'tool.invoke',
  'memory.read',
  'memory.write',
  'swarm.spawn',
  'swarm.lock',
  'swarm.send',
  'secret.use',
] as const

/** What an agent does from inside its sandbox. */
export type AgentAction = (typeof agentActions)[number]

/** What is done with an agent as a whole. */
export const lifecycleActions = ['agent.deploy', 'task.execute'] as const
export type LifecycleAction = (typeof lifecycleActions)[number]

/** What a caller of the API does. */
export const apiActions = [
  'api.node.read',
  'api.agent.read',
  'api.agent.write',
  'api.task.read',
  'api.task.execute',
  'api.task.cancel',
  'api.task.remove',
  'api.image.read',
  'api.image.write',
  'api.sandbox.read',
  'api.policy.read',
  'api.audit.read',
  'api.secret.read',
  'api.secret.write',
  'api.token.read',
  'api.token.write',
] as const
export type ApiAction = (typeof apiActions)[number]

export type PolicyAction = AgentAction | LifecycleAction | ApiAction
