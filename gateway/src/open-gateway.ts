import { randomUUID } from 'node:crypto'
import type {
  AgentGateway,
  Clock,
  LlmProviderConfig,
  LlmSelectionConfig,
  Logger,
  SandboxDoor,
  Secret,
} from '@aegis/core'
import { openAgentServer } from './agent-api/agent-server.ts'
import { makeRoutes } from './agent-api/routes.ts'
import { makeSandboxDoor, type OpenEgress } from './agent-api/sandbox-door.ts'
import { makeNameResolver } from './egress/name-resolver.ts'
import { openEgressSession } from './egress/open-egress-session.ts'
import { ownAddresses } from './egress/own-addresses.ts'
import { openInspector } from './inspect/open-inspector.ts'
import { openProviders } from './providers/open-providers.ts'
import { makeLatencyRecord } from './selection/latency-record.ts'
import { makeModelCatalog } from './selection/model-catalog.ts'
import { makeTryCandidates } from './selection/try-candidates.ts'
import { systemClock } from './system-clock.ts'

export interface GatewayOptions {
  readonly providers: readonly LlmProviderConfig[]
  readonly selection: LlmSelectionConfig
  /** Resolves `env:NAME`; absent where the variable is not set. */
  readonly secret: (reference: string) => Secret | undefined
  /** Reads a rules file of a `scripted` provider. */
  readonly readText: (path: string) => string
  /** Name servers to ask, `address` or `address:port`; none: as the host itself looks names up. */
  readonly resolvers?: readonly string[]
  /** Stands in the name of the authority that signs for hosts whose TLS ends here. */
  readonly nodeName: string
  /** Authorities in PEM that servers' certificates may be signed by, beyond those of the host. */
  readonly trustedAuthorities?: readonly string[]
  readonly logger: Logger
  readonly clock?: Clock
  /** 0 (inclusive) to 1 (exclusive); spreads the waits between attempts. */
  readonly random?: () => number
}

export interface Gateway extends AgentGateway {
  /** Whether a scripted provider may answer: its answers come from rules, not from a model. */
  readonly scripted: boolean
  models(): readonly GatewayModel[]
}

/** A model that agents may name, by its alias. */
export interface GatewayModel {
  readonly alias: string
  readonly provider: string
  readonly type: LlmProviderConfig['type']
  readonly model: string
  readonly capabilities: readonly string[]
  /** Tokens. */
  readonly contextWindow: number
  readonly costPer1kTokens: number
}

/**
 * Opens the gateway and its providers; nothing is dialled before an agent asks. A provider whose
 * key is missing is left out with a warning.
 * @throws AegisError `invalid` for an endpoint, a rules file or a resolver that cannot be used
 */
export function openGateway(options: GatewayOptions): Gateway {
  const { selection, logger, clock = systemClock, random = Math.random } = options
  const providers = openProviders({
    ...options,
    configs: options.providers,
    timeoutMs: selection.timeout_seconds * 1000,
    clock,
  })
  const latency = makeLatencyRecord()
  const catalog = makeModelCatalog({ providers, selection, latency })
  const tryCandidates = makeTryCandidates({
    clock,
    latency,
    random,
    maxAttempts: selection.max_retries,
    retryDelayMs: selection.retry_delay_ms,
  })
  const { resolvers = [] } = options
  const inspector = openInspector(options)
  const resolver = makeNameResolver({ servers: resolvers })
  const openEgress: OpenEgress = (own) =>
    openEgressSession({ ...own, inspector, resolver, ownAddresses, clock, logger })
  const newId = () => randomUUID().replaceAll('-', '')
  const routes = makeRoutes({ catalog, tryCandidates, clock, logger, newId })
  const server = openAgentServer({ routes, logger })
  const doors = new Set<SandboxDoor>()

  return {
    scripted: providers.some(({ type }) => type === 'scripted'),

    models: () =>
      catalog.all.map(({ provider, model }) => ({
        alias: model.alias,
        provider: provider.name,
        type: provider.type,
        model: model.model,
        capabilities: model.capabilities,
        contextWindow: model.context_window,
        costPer1kTokens: model.cost_per_1k_tokens,
      })),

    trustBundle: async () => inspector.trustBundle(),

    admit(identity, recorder) {
      const door = makeSandboxDoor({ server, openEgress, identity, recorder, logger })
      doors.add(door)
      return {
        connect: door.connect,
        [Symbol.dispose]() {
          doors.delete(door)
          door[Symbol.dispose]()
        },
      }
    },

    async [Symbol.asyncDispose]() {
      for (const door of doors) door[Symbol.dispose]()
      doors.clear()
      server[Symbol.dispose]()
      inspector[Symbol.dispose]()
      await Promise.all(providers.map((provider) => provider[Symbol.asyncDispose]()))
    },
  }
}
