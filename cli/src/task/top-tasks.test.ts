import { describe, expect, it } from 'vitest'
import { aSandbox } from '../testing/a-sandbox.ts'
import { fakeContext } from '../testing/fake-context.ts'
import { topTasks } from './top-tasks.ts'

const soon = { interval: 0.001 }

describe('aegis task top', () => {
  it('says that nothing runs where no daemon does', async () => {
    const { context, terminal } = fakeContext(undefined)
    expect(await topTasks(context, [], soon)).toBe(0)
    expect(terminal.stdout()).toBe(
      'Nothing runs: there is no daemon.\nStart it: aegis daemon start\n',
    )
    const json = fakeContext(undefined, { json: true })
    await topTasks(json.context, [], soon)
    expect(JSON.parse(json.terminal.stdout())).toMatchObject({ sandboxes: [] })
  })

  it('prints one table with --once', async () => {
    const { context, terminal } = fakeContext({ sandboxes: { list: async () => [aSandbox()] } })
    expect(await topTasks(context, [], { ...soon, once: true })).toBe(0)
    expect(terminal.stdout()).toMatch(/^1 running.*\nTASK .*\ne1 .*\n$/)
  })

  it('prints raw numbers as JSON, one line a look', async () => {
    const sandboxes = [aSandbox(), aSandbox({ id: 's2', state: 'warm', executionId: undefined })]
    for (const [all, shown] of [
      [false, 1],
      [true, 2],
    ] as const) {
      const fake = fakeContext({ sandboxes: { list: async () => sandboxes } }, { json: true })
      await topTasks(fake.context, [], { ...soon, once: true, all })
      const look = JSON.parse(fake.terminal.stdout())
      expect(look.sandboxes).toHaveLength(shown)
      expect(look.sandboxes[0]).toMatchObject({
        execution_id: 'e1',
        cpu_percent: 0,
        stats: { memory_peak_bytes: 62914560 },
      })
    }
  })

  it('goes on until Ctrl-C, which is a success, and draws in place', async () => {
    let looks = 0
    const fake = fakeContext(
      {
        sandboxes: {
          async list() {
            looks += 1
            if (looks === 4) fake.keyboard.pressCtrlC()
            return [aSandbox()]
          },
        },
      },
      { isTty: true },
    )
    expect(await topTasks(fake.context, [], soon)).toBe(0)
    expect(looks).toBe(4)
    expect(fake.terminal.stdout()).toContain('\x1b[3F')
  })

  it('tells when the daemon goes away', async () => {
    const { context } = fakeContext({
      sandboxes: {
        list: async () => {
          throw new Error('connection lost')
        },
      },
    })
    await expect(topTasks(context, [], soon)).rejects.toThrow('connection lost')
  })
})
