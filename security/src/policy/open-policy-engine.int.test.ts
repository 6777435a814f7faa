import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AgentPolicy, localActor } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openPolicyEngine, type PolicyEngineOptions } from './open-policy-engine.ts'
import { defaultEgress } from './testing/an-engine.ts'

let root: string
let folder: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'aegis-policies-'))
  folder = join(root, 'policies')
  mkdirSync(folder)
})
afterEach(() => rmSync(root, { recursive: true }))

const forbidAll = 'forbid (principal, action == Action::"network.connect", resource);'
const agent = {
  name: 'coder',
  manifest: aManifest('coder', { network: { mode: 'allow', allowlist: ['a.com'] } }),
}
const reach = ({ decide }: AgentPolicy) =>
  decide({ action: 'network.connect', host: 'a.com', port: 443 }).allow

/** An engine on the folder, and what it tells its log, one after the other. */
function open(options: Partial<PolicyEngineOptions> = {}) {
  const told: string[] = []
  const waiting: (() => void)[] = []
  const tell = (_: object, message: string): void => {
    told.push(message)
    for (const resolve of waiting.splice(0)) resolve()
  }
  const engine = openPolicyEngine({
    folder,
    required: false,
    eager: true,
    security: { egress: defaultEgress },
    logger: { info: tell, error: tell },
    ...options,
  })
  const next = (): Promise<void> => new Promise((resolve) => waiting.push(resolve))
  return { engine, told, next, [Symbol.dispose]: () => engine[Symbol.dispose]() }
}

it('follows its folder: what is written there holds for the next decision', async () => {
  using opened = open()
  const policy = opened.engine.forAgent(agent)
  expect(reach(policy)).toBe(true)
  const forbidden = opened.next()
  writeFileSync(join(folder, 'a.cedar'), forbidAll)
  await forbidden
  expect(reach(policy)).toBe(false)
  const permitted = opened.next()
  rmSync(join(folder, 'a.cedar'))
  await permitted
  expect(reach(policy)).toBe(true)
  expect(opened.told).toEqual(['policies were reloaded', 'policies were reloaded'])
})

it('keeps the last good set while a file has an error, and says so, until it is mended', async () => {
  writeFileSync(join(folder, 'a.cedar'), forbidAll)
  using opened = open()
  const policy = opened.engine.forAgent(agent)
  const broken = opened.next()
  writeFileSync(join(folder, 'b.cedar'), 'forbid (principal;')
  await broken
  expect(reach(policy)).toBe(false)
  expect(opened.told).toEqual(['policies have errors: the last good set stays in force'])
  expect(opened.engine.state).toMatchObject({
    problems: [{ file: 'b.cedar', line: 1 }],
    closed: false,
  })
  const mended = opened.next()
  rmSync(join(folder, 'b.cedar'))
  await mended
  expect(opened.engine.state.problems).toEqual([])
})

it('keeps the last good set when the whole folder goes', async () => {
  writeFileSync(join(folder, 'a.cedar'), forbidAll)
  using opened = open()
  const policy = opened.engine.forAgent(agent)
  const gone = opened.next()
  renameSync(folder, `${folder}-aside`)
  await gone
  expect(reach(policy)).toBe(false)
  expect(opened.engine.state.problems).toMatchObject([{ message: 'There is no such folder.' }])
})

it('finds a folder that is made later', async () => {
  rmSync(folder, { recursive: true })
  using opened = open()
  const policy = opened.engine.forAgent(agent)
  expect(reach(policy)).toBe(true)
  const found = opened.next()
  mkdirSync(folder)
  writeFileSync(join(folder, 'a.cedar'), forbidAll)
  await found
  expect(reach(policy)).toBe(false)
})

it('refuses to open on a file with an error, with its place', () => {
  writeFileSync(join(folder, 'a.cedar'), `${forbidAll}\nforbid (principal, action resource);`)
  expect(() => open()).toThrow(
    expect.objectContaining({
      code: 'policies.invalid',
      message: expect.stringMatching(/a\.cedar:2:27: .*\nMend them/s),
    }),
  )
})

it('denies everything on a file with an error that it reads only when it is asked', () => {
  writeFileSync(join(folder, 'a.cedar'), 'forbid (principal;')
  using opened = open({ eager: false })
  const decision = opened.engine.forAgent(agent).decide({ action: 'llm.generate', model: 'x' })
  expect(opened.engine.state.closed).toBe(true)
  expect(decision).toMatchObject({ allow: false, because: expect.stringContaining('have errors') })
  expect(opened.engine.decideApi(localActor, { action: 'api.node.read' }).allow).toBe(false)
  expect(opened.engine.decideDeploy(localActor, agent, { isolation: 'process' }).allow).toBe(false)
})

it.each([
  ['a folder that is not there', () => rmSync(folder, { recursive: true })],
  ['a file that is no text', () => writeFileSync(join(folder, 'a.cedar'), Buffer.from([0xff]))],
  [
    'a file that is too large',
    () => writeFileSync(join(folder, 'a.cedar'), ' '.repeat(2 ** 20 + 1)),
  ],
  ['a folder in the place of a file', () => mkdirSync(join(folder, 'a.cedar'))],
])('refuses to open on %s, where the configuration names it', (_what, make) => {
  make()
  expect(() => open({ required: true })).toThrow(
    expect.objectContaining({ code: 'policies.invalid' }),
  )
})
