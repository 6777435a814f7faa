import type { DatabaseSync } from 'node:sqlite'
import {
  isAgentEvent,
  isExecutionEvent,
  isRevision,
  projectAgent,
  projectExecution,
  type RecordedEvent,
  type StreamId,
} from '@aegis/core'
import { fromAgentRow, toAgentRow } from './agent-row.ts'
import { fromExecutionRow, toExecutionRow } from './execution-row.ts'
import { prepared } from './prepared.ts'
import type { AgentRow, ExecutionRow } from './store-tables.ts'

export interface Projector {
  /** Folds the events of one stream into its rows. Runs inside the append's transaction. */
  apply(stream: StreamId, recorded: readonly RecordedEvent[]): void
  remove(stream: StreamId): void
}

/**
 * Keeps the tables that lists and queue are read from. It writes with prepared statements, because
 * each append passes through here.
 */
export function makeProjector(database: DatabaseSync, path: string): Projector {
  const agents = prepareAgents(database)
  const executions = prepareExecutions(database)

  const applyToAgent = (id: string, recorded: readonly RecordedEvent[]): void => {
    const stored = agents.find.get(id)
    let row = stored && fromAgentRow(stored, path)
    for (const { event, ...place } of recorded) {
      if (!isAgentEvent(event)) throw new Error(`${event.type} is no event of an agent`)
      row = projectAgent(row, { ...place, event })
      if (isRevision(event)) agents.addRevision.run(id, event.revision, place.position)
    }
    if (row !== undefined) agents.save.run({ ...toAgentRow(row) })
    else if (stored !== undefined) agents.remove.run(id)
  }

  const applyToExecution = (id: string, recorded: readonly RecordedEvent[]): void => {
    const stored = executions.find.get(id)
    const before = stored && fromExecutionRow(stored, path)
    let row = before
    for (const { event, ...place } of recorded) {
      if (!isExecutionEvent(event)) throw new Error(`${event.type} is no event of an execution`)
      row = projectExecution(row, { ...place, event })
    }
    if (row !== undefined && row !== before) executions.save.run({ ...toExecutionRow(row) })
  }

  return {
    apply(stream, recorded) {
      const { kind, id } = subjectOf(stream)
      if (kind === 'agent') applyToAgent(id, recorded)
      else applyToExecution(id, recorded)
    },
    remove(stream) {
      const { kind, id } = subjectOf(stream)
      if (kind === 'execution') {
        executions.remove.run(id)
        return
      }
      agents.remove.run(id)
      agents.removeRevisions.run(id)
    },
  }
}

const subjectOf = (stream: StreamId): { kind: 'agent' | 'execution'; id: string } =>
  stream.startsWith('agent-')
    ? { kind: 'agent', id: stream.slice('agent-'.length) }
    : { kind: 'execution', id: stream.slice('execution-'.length) }

const prepareAgents = (database: DatabaseSync) => ({
  find: prepared<AgentRow>(database, 'select * from agents where id = ?'),
  save: database.prepare(
    `insert or replace into agents
     (id, name, version, description, status, labels, revision, created_at, updated_at)
     values ($id, $name, $version, $description, $status, $labels, $revision, $created_at, $updated_at)`,
  ),
  remove: database.prepare('delete from agents where id = ?'),
  addRevision: database.prepare(
    'insert into agent_revisions (agent_id, revision, position) values (?, ?, ?)',
  ),
  removeRevisions: database.prepare('delete from agent_revisions where agent_id = ?'),
})

const prepareExecutions = (database: DatabaseSync) => ({
  find: prepared<ExecutionRow>(database, 'select * from executions where id = ?'),
  save: database.prepare(
    `insert into executions
     (position, id, agent_id, agent_name, agent_revision, status, priority, isolation,
      cpu_millicores, memory_bytes, queued_at, started_at, ended_at, iterations, interruptions,
      prompt_tokens, completion_tokens, cost, failure)
     values
     ($position, $id, $agent_id, $agent_name, $agent_revision, $status, $priority, $isolation,
      $cpu_millicores, $memory_bytes, $queued_at, $started_at, $ended_at, $iterations,
      $interruptions, $prompt_tokens, $completion_tokens, $cost, $failure)
     on conflict (position) do update set
      status = excluded.status, started_at = excluded.started_at, ended_at = excluded.ended_at,
      iterations = excluded.iterations, interruptions = excluded.interruptions,
      prompt_tokens = excluded.prompt_tokens, completion_tokens = excluded.completion_tokens,
      cost = excluded.cost, failure = excluded.failure`,
  ),
  remove: database.prepare('delete from executions where id = ?'),
})
