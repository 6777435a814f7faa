import type { Isolation } from '../sandbox/sandbox-spec.ts'
import type { ApiAction } from './policy-action.ts'

/** What an agent wants to do, with all that a policy may decide upon. */
export type AgentRequest =
  | {
      readonly action: 'network.connect'
      /** A canonical name, or the text of a canonical address (IPv6 without brackets). */
      readonly host: string
      readonly port: number
      /**
       * Present once a name was looked up: the canonical address that is to be dialled. It may make
       * a range forbid what the name permits; a range never permits a name.
       */
      readonly address?: string
      /** Present once it is known: the request inside an inspected or a plain connection. */
      readonly http?: HttpRequestFacts
    }
  | { readonly action: 'dns.resolve'; readonly name: string }
  | { readonly action: 'fs.read' | 'fs.write'; readonly path: string }
  | { readonly action: 'llm.generate'; readonly model: string }
  | { readonly action: 'tool.invoke'; readonly tool: string }
  | { readonly action: 'memory.read' | 'memory.write'; readonly space: string }
  | { readonly action: 'swarm.spawn' | 'swarm.send'; readonly agent: string }
  | { readonly action: 'swarm.lock'; readonly lock: string }
  | {
      readonly action: 'secret.use'
      readonly secret: string
      readonly host: string
      readonly port: number
    }

export interface HttpRequestFacts {
  /** Upper case. */
  readonly method: string
  /** Begins with a slash, without query and fragment, dot segments removed. */
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

/** What a user or another program asks of the node. */
export interface ApiRequest {
  readonly action: ApiAction
  /** What it concerns, for example the name of an agent; absent: the whole node. */
  readonly resource?: string | undefined
}

/** An agent that is to be deployed: what the node would run it with. */
export interface DeployRequest {
  readonly isolation: Isolation
  /** Absent where the runtime boots from none. */
  readonly image?: string | undefined
}

/** A task that is to run: what the caller chose for it. */
export interface TaskRequest extends DeployRequest {
  /** -100 to 100. */
  readonly priority: number
}
