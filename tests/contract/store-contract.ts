import type { AgentQueries, EventStore, ExecutionQueries } from '@aegis/core'
import { describe } from 'vitest'
import { describeAgentQueries } from './store-contract-agents.ts'
import { describeEventStore } from './store-contract-events.ts'
import { describeExecutionQueries } from './store-contract-executions.ts'

export interface StoreUnderTest extends AsyncDisposable {
  readonly events: EventStore
  readonly agents: AgentQueries
  readonly executions: ExecutionQueries
}

/** What every implementation of the stores' ports promises. `open` gives an empty one. */
export function describeStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the store contract, ${name}`, () => {
    describeEventStore(open)
    describeAgentQueries(open)
    describeExecutionQueries(open)
  })
}
