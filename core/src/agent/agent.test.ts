import { describe, expect, it } from 'vitest'
import { aManifest } from '../testing/a-manifest.ts'
import { type AgentCommand, agent } from './agent.ts'
import type { AgentEvent } from './agent-event.ts'

const at = '2026-01-01T00:00:00.000Z'
const manifest = aManifest('echo')
const other = aManifest('echo', { version: '2.0.0' })
const deployed: AgentEvent = { type: 'agent.deployed', manifest, revision: 1, at }

const given = (...events: AgentEvent[]) => ({
  when: (command: AgentCommand) =>
    agent.decide(events.reduce(agent.evolve, agent.initial), command),
})

describe('an agent', () => {
  it('is deployed as revision 1', () => {
    const command = { type: 'deploy', manifest, replace: false, at } as const
    expect(given().when(command)).toEqual([deployed])
  })

  it('takes the same manifest again quietly, whatever the order of its keys', () => {
    const reordered = {
      spec: manifest.spec,
      metadata: manifest.metadata,
      kind: manifest.kind,
      apiVersion: manifest.apiVersion,
    }
    const command = { type: 'deploy', manifest: reordered, replace: false, at } as const
    expect(given(deployed).when(command)).toEqual([])
  })

  it('refuses a different manifest under a taken name, and says how to replace it', () => {
    const command = { type: 'deploy', manifest: other, replace: false, at } as const
    expect(() => given(deployed).when(command)).toThrow(/--replace/)
  })

  it('becomes the next revision when it is replaced', () => {
    const command = { type: 'deploy', manifest: other, replace: true, at } as const
    expect(given(deployed).when(command)).toEqual([
      { type: 'agent.updated', manifest: other, revision: 2, at },
    ])
  })

  it('counts its revisions on across a removal', () => {
    const removed: AgentEvent = { type: 'agent.removed', at }
    const command = { type: 'deploy', manifest, replace: false, at } as const
    expect(given(deployed, removed).when(command)).toEqual([{ ...deployed, revision: 2 }])
  })

  it('pauses once, however often it is asked', () => {
    const pause: AgentCommand = { type: 'pause', reason: 'budget', at }
    const paused = given(deployed).when(pause)
    expect(paused).toEqual([{ type: 'agent.paused', reason: 'budget', at }])
    expect(given(deployed, ...paused).when(pause)).toEqual([])
  })

  it('stays paused when it is replaced', () => {
    const paused: AgentEvent = { type: 'agent.paused', at }
    const updated: AgentEvent = { type: 'agent.updated', manifest: other, revision: 2, at }
    const state = [deployed, paused, updated].reduce(agent.evolve, agent.initial)
    expect(state).toEqual({ status: 'paused', manifest: other, revision: 2 })
  })

  it('is removed once, and cannot be paused when it is gone', () => {
    expect(given().when({ type: 'remove', at })).toEqual([])
    expect(() => given().when({ type: 'pause', at })).toThrow('No such agent')
  })
})
