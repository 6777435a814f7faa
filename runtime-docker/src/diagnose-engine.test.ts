import { expect, it } from 'vitest'
import type { SpecRules } from './container/check-docker-spec.ts'
import { diagnoseAbsence, diagnoseEngine } from './diagnose-engine.ts'
import { parseEngineEndpoint } from './engine/engine-endpoint.ts'
import { readEngineFacts } from './engine/engine-facts.ts'
import { engineUnreachable } from './engine/engine-failure.ts'
import { debianDocker, rootlessDocker } from './testing/engine-answers.ts'
import { fakeEngine } from './testing/fake-engine.ts'

const rules: SpecRules = { ociRuntime: undefined, allowWeaker: [], guestArchitecture: 'x64' }
const diagnose = async (info: object, engine?: string) =>
  diagnoseEngine(
    await readEngineFacts(fakeEngine(() => info).client, new AbortController().signal),
    parseEngineEndpoint(engine),
    rules,
  )

it('finds nothing wrong with an engine as Debian brings it', async () => {
  const findings = await diagnose(debianDocker)
  expect(findings.map(({ name, state }) => [name, state])).toEqual([
    ['docker', 'ok'],
    ['docker limits', 'ok'],
    ['docker isolation', 'ok'],
    ['gvisor', 'ok'],
  ])
})

it('names what an engine lacks, each with its remedy', async () => {
  const bare = { ...rootlessDocker, SecurityOptions: ['name=rootless'] }
  const findings = await diagnose(bare, 'tcp://elsewhere:2375')
  expect(findings.map(({ name, state }) => [name, state])).toEqual([
    ['docker', 'ok'],
    ['docker connection', 'warning'],
    ['docker limits', 'missing'],
    ['docker isolation', 'warning'],
    ['gvisor', 'warning'],
  ])
  for (const { state, remedy } of findings) if (state !== 'ok') expect(remedy).toBeTruthy()
})

it('says what to do where there is no engine', () => {
  const cause = Object.assign(new Error('connect'), { code: 'ENOENT' })
  const [finding] = diagnoseAbsence(engineUnreachable(parseEngineEndpoint(undefined), cause))
  expect(finding).toMatchObject({
    state: 'missing',
    detail: expect.stringContaining('there is no socket'),
    remedy: expect.stringMatching(/^Start Docker/),
  })
})

it('tells an engine that hangs from one that is absent', () => {
  const [finding] = diagnoseAbsence(new DOMException('timeout', 'TimeoutError'))
  expect(finding).toMatchObject({ state: 'missing', remedy: expect.stringContaining('restart') })
})
