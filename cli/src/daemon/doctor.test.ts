import { expect, it } from 'vitest'
import { fakeContext } from '../testing/fake-context.ts'
import { doctor } from './doctor.ts'

const nodeThat = (exposed: boolean) => ({
  node: { doctor: async () => [], status: async () => ({ exposed }) as never },
})

it('warns of an API that other machines reach without TLS, and says what to do', async () => {
  const open = fakeContext(nodeThat(true))
  await doctor(open.context, [], {})
  expect(open.terminal.stdout()).toMatch(/warning: .* without TLS.*network\.tls.*127\.0\.0\.1/)
  const closed = fakeContext(nodeThat(false))
  await doctor(closed.context, [], {})
  expect(closed.terminal.stdout()).not.toContain('TLS')
  const json = fakeContext(nodeThat(true), { json: true })
  await doctor(json.context, [], {})
  expect(JSON.parse(json.terminal.stdout())).toMatchObject({ exposed: true })
})
