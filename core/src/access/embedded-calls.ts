import type { ControlPlane } from '../control-plane.ts'
import type { ApiAction } from '../policy/policy-action.ts'

/** What a call of the control plane is to the audit. */
export interface EmbeddedCall {
  readonly action: ApiAction
  /** What its first argument says: the name or id of what it concerns, or of an execution. */
  readonly first?: 'subject' | 'execution' | undefined
  /** Its answer is the id of an execution. */
  readonly makesExecution?: true
}

type Calls = {
  readonly [Part in keyof ControlPlane]: {
    readonly [Method in keyof ControlPlane[Part]]: EmbeddedCall
  }
}

const of = (action: ApiAction, first?: EmbeddedCall['first']): EmbeddedCall => ({ action, first })

/** Every call that there is: the compiler asks for each. */
export const embeddedCalls: Calls = {
  agents: {
    deploy: of('api.agent.write', 'subject'),
    list: of('api.agent.read'),
    find: of('api.agent.read', 'subject'),
    manifest: of('api.agent.read', 'subject'),
    remove: of('api.agent.write', 'subject'),
    pause: of('api.agent.write', 'subject'),
    resume: of('api.agent.write', 'subject'),
    events: of('api.task.read', 'subject'),
  },
  executions: {
    execute: { ...of('api.task.execute', 'subject'), makesExecution: true },
    find: of('api.task.read', 'execution'),
    list: of('api.task.read'),
    events: of('api.task.read', 'execution'),
    cancel: of('api.task.cancel', 'execution'),
    remove: of('api.task.remove', 'execution'),
  },
  images: {
    list: of('api.image.read'),
    pull: of('api.image.write', 'subject'),
    prepare: of('api.image.write', 'subject'),
    build: of('api.image.write'),
    prune: of('api.image.write'),
  },
  sandboxes: { list: of('api.sandbox.read'), events: of('api.sandbox.read') },
  policies: {
    list: of('api.policy.read'),
    explain: of('api.policy.read', 'subject'),
    check: of('api.policy.read'),
  },
  secrets: {
    list: of('api.secret.read'),
    set: of('api.secret.write', 'subject'),
    remove: of('api.secret.write', 'subject'),
    rotate: of('api.secret.write'),
  },
  tokens: {
    create: of('api.token.write', 'subject'),
    list: of('api.token.read'),
    revoke: of('api.token.write', 'subject'),
    whoami: of('api.node.read'),
  },
  audit: {
    list: of('api.audit.read'),
    entry: of('api.audit.read'),
    follow: of('api.audit.read'),
    key: of('api.audit.read'),
    checkpoint: of('api.audit.read'),
    tile: of('api.audit.read', 'subject'),
    prove: of('api.audit.read'),
    verify: of('api.audit.read'),
  },
  node: { status: of('api.node.read'), doctor: of('api.node.read') },
}
