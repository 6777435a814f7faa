import type { DatabaseSync } from 'node:sqlite'
import {
  isAgentEvent,
  isExecutionEvent,
  isRevision,
  projectAgent,
  projectExecution,
  type RecordedEvent,
  type StreamId,
  streamSubject,
} from '@aegis/core'
import { fromAgentRow, toAgentRow } from './agent-row.ts'
import { fromExecutionRow, toExecutionRow } from './execution-row.ts'
import { prepared } from './prepared.ts'
import type { AgentRow, ExecutionRow } from './store-tables.ts'

export interface Projector {
  /**
   * Folds the events of one stream into its rows, and says whose agent they are of. Runs inside the
   * append's transaction.
   */
  apply(stream: StreamId, recorded: readonly RecordedEvent[]): string | undefined
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

  const applyToExecution = (id: string, recorded: readonly RecordedEvent[]): string | undefined => {
    const stored = executions.find.get(id)
    const before = stored && fromExecutionRow(stored, path)
    let row = before
    for (const { event, ...place } of recorded) {
      if (!isExecutionEvent(event)) throw new Error(`${event.type} is no event of an execution`)
      row = projectExecution(row, { ...place, event })
    }
    if (row === undefined || row === before) return row?.agentId
    executions.save.run({ ...toExecutionRow(row) })
    if (before === undefined) agents.count.run(1, row.agentId)
    return row.agentId
  }

  const removeExecution = (id: string): void => {
    const row = executions.find.get(id)
    if (row === undefined) return
    executions.remove.run(id)
    agents.count.run(-1, row.agent_id)
  }

  return {
    apply(stream, recorded) {
      const { kind, id } = streamSubject(stream)
      if (kind === 'execution') return applyToExecution(id, recorded)
      applyToAgent(id, recorded)
      return id
    },
    remove(stream) {
      const { kind, id } = streamSubject(stream)
      if (kind === 'agent') {
        agents.remove.run(id)
        agents.removeRevisions.run(id)
      } else removeExecution(id)
    },
  }
}

const prepareAgents = (database: DatabaseSync) => ({
  find: prepared<AgentRow>(database, 'select * from agents where id = ?'),
  save: database.prepare(
    `insert into agents
     (id, name, version, description, status, labels, revision, created_at, updated_at, image,
      execution_count)
     values
     ($id, $name, $version, $description, $status, $labels, $revision, $created_at, $updated_at, $image,
      (select count(*) from executions where agent_id = $id))
     on conflict (id) do update set
      name = excluded.name, version = excluded.version, description = excluded.description,
      status = excluded.status, labels = excluded.labels, revision = excluded.revision,
      created_at = excluded.created_at, updated_at = excluded.updated_at, image = excluded.image`,
  ),
  // Counting all of them at each look-up would cost more with each execution that is kept.
  count: database.prepare('update agents set execution_count = execution_count + ? where id = ?'),
  remove: database.prepare('delete from agents where id = ?'),
  addRevision: database.prepare(
    'insert or replace into agent_revisions (agent_id, revision, position) values (?, ?, ?)',
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
