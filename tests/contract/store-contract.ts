import type { AgentQueries, EventStore, ExecutionQueries } from '@aegis/core'
import type { AuditStore } from '@aegis/core/audit'
import { describe } from 'vitest'
import { describeAgentQueries } from './store-contract-agents.ts'
import { describeAuditStore } from './store-contract-audit.ts'
import { describeEventStore } from './store-contract-events.ts'
import { describeExecutionQueries } from './store-contract-executions.ts'

export interface StoreUnderTest extends AsyncDisposable {
  readonly events: EventStore
  readonly agents: AgentQueries
  readonly executions: ExecutionQueries
  readonly audit: AuditStore
}

/** What every implementation of the stores' ports promises. `open` gives an empty one. */
export function describeStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the store contract, ${name}`, () => {
    describeEventStore(open)
    describeAgentQueries(open)
    describeExecutionQueries(open)
    describeAuditStore(open)
  })
}
