declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

export type AgentId = Branded<'AgentId'>
export type ExecutionId = Branded<'ExecutionId'>
/** Names one sandbox on its host: `[a-z0-9-]`, at most 64 characters (the jailer's limit). */
export type SandboxId = Branded<'SandboxId'>

/** Makes ids; passed in so that tests are deterministic. */
export interface Ids {
  /** The same name always gives the same id, so that two deploys of one name cannot race. */
  agent(name: string): AgentId
  execution(): ExecutionId
  sandbox(): SandboxId
  /** `aegis-secret-` and 32 hexadecimal digits that nobody can guess. */
  placeholder(): string
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Whether `text` is a lower-case UUID (RFC 9562), the form of agent and execution ids. */
export const isUuid = (text: string): boolean => uuid.test(text)

export const agentId = (text: string): AgentId => text as AgentId
export const executionId = (text: string): ExecutionId => text as ExecutionId
export const sandboxId = (text: string): SandboxId => text as SandboxId
