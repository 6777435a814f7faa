import type { AuditQuery, AuditReport, LoggedEntry } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { fakeContext } from '../testing/fake-context.ts'
import { describeEntry } from './describe-entry.ts'
import { filterOf } from './entry-filter.ts'
import { listEntries } from './list-entries.ts'
import { printReport } from './print-report.ts'
import { proveEntry } from './prove-entry.ts'
import { showEntry } from './show-entry.ts'
import { tailEntries } from './tail-entries.ts'
import { verifyAudit } from './verify-audit.ts'

const at = '2026-11-22T15:04:05.123Z'
const hash = 'A'.repeat(43).concat('=')

const denied: LoggedEntry = {
  index: 7,
  hash,
  entry: {
    at,
    type: 'execution.denied',
    executionId: '12345678-0000-4000-8000-000000000000',
    data: { iteration: 1, action: 'network.connect', subject: 'evil.example:443' },
  },
}
const called: LoggedEntry = {
  index: 6,
  hash,
  entry: {
    at,
    type: 'api.called',
    actor: 'ci\u001b[31m',
    data: { method: 'POST', route: '/api/agents', status: 200 },
  },
}
const gone: LoggedEntry = { index: 0, hash, entry: undefined }

const sound: AuditReport = {
  origin: 'aegis/test',
  size: 8,
  checked: 7,
  dropped: 1,
  checkpoint: { size: 8, root: hash },
  unsigned: 0,
  isSound: true,
  findings: [],
}
const broken: AuditReport = {
  ...sound,
  isSound: false,
  findings: [{ code: 'changed', index: 3, message: 'Entry 3 is not what was appended there.' }],
}

describe('aegis audit list', () => {
  it('shows what each entry is about, and nothing that a terminal obeys', async () => {
    const { context, terminal } = fakeContext({
      audit: { list: async () => [denied, called, gone] },
    })
    expect(await listEntries(context, [], { limit: 20 })).toBe(0)
    expect(terminal.stdout()).toContain('network.connect evil.example:443')
    expect(terminal.stdout()).toContain('POST /api/agents, -> 200')
    expect(terminal.stdout()).not.toContain('\u001b[31m')
  })

  it('asks for what its flags say', async () => {
    const asked: AuditQuery[] = []
    const list = async (query: AuditQuery) => {
      asked.push(query)
      return []
    }
    const { context, terminal } = fakeContext({ audit: { list } })
    const options = { type: 'execution.*', agent: 'echo', since: '2026-11-22', limit: 5, before: 9 }
    await listEntries(context, [], options)
    expect(asked).toEqual([
      expect.objectContaining({
        type: 'execution.*',
        agentRef: 'echo',
        since: '2026-11-22T00:00:00.000Z',
        before: 9,
        limit: 5,
      }),
    ])
    expect(terminal.stdout()).toBe('No such entries.\n')
  })

  it('takes a time as how long ago it was, and refuses what is neither', () => {
    const nowMs = Date.parse('2026-11-22T15:00:00.000Z')
    expect(filterOf({ since: '90m' }, nowMs).since).toBe('2026-11-22T13:30:00.000Z')
    expect(filterOf({ until: '2026-11-22T10:00:00+01:00' }).until).toBe('2026-11-22T09:00:00.000Z')
    for (const since of ['yesterday', '2026-13-45', '']) {
      expect(() => filterOf({ since })).toThrow('is no time')
    }
  })

  it('prints the whole entries with --json', async () => {
    const { context, terminal } = fakeContext(
      { audit: { list: async () => [denied, gone] } },
      { json: true },
    )
    await listEntries(context, [], { limit: 20 })
    expect(JSON.parse(terminal.stdout())).toEqual([denied, { ...gone, entry: null }])
  })
})

describe('aegis audit tail', () => {
  it('shows the latest, oldest first, and goes on behind them', async () => {
    const followed: (number | undefined)[] = []
    const { context, terminal } = fakeContext({
      audit: {
        list: async ({ limit }) => (limit === 1 ? [denied] : [denied, called]),
        async *follow({ from }) {
          followed.push(from)
          yield { ...called, index: 8 }
        },
      },
    })
    await tailEntries(context, [], { lines: 2 })
    expect(followed).toEqual([8])
    expect(
      terminal
        .stdout()
        .split('\n')
        .map((line) => line[0]),
    ).toEqual(['6', '7', '8', undefined])
  })
})

describe('aegis audit show', () => {
  it('shows one entry whole, or that its body was dropped', async () => {
    const scene = fakeContext({ audit: { entry: async () => denied } })
    await showEntry(scene.context, ['7'], {})
    expect(scene.terminal.stdout()).toContain('"subject": "evil.example:443"')
    const dropped = fakeContext({ audit: { entry: async () => gone } })
    await showEntry(dropped.context, ['0'], {})
    expect(dropped.terminal.stdout()).toContain('dropped by the retention')
    await expect(showEntry(scene.context, ['-1'], {})).rejects.toThrow('the index of an entry')
  })
})

describe('aegis audit verify', () => {
  it.each([
    [sound, 0, 'Sound:'],
    [broken, 1, '- Entry 3 is not what was appended there.'],
  ])('ends with a code that says whether the log is whole', async (report, code, text) => {
    const { context, terminal } = fakeContext({ audit: { verify: async () => report } })
    expect(await verifyAudit(context, [], { from: 0 })).toBe(code)
    expect(terminal.stdout()).toContain(text)
  })

  it('prints the report with --json', async () => {
    const { context, terminal } = fakeContext(
      { audit: { verify: async () => broken } },
      { json: true },
    )
    await verifyAudit(context, [], { from: 0 })
    expect(JSON.parse(terminal.stdout())).toMatchObject({
      is_sound: false,
      findings: [{ index: 3 }],
    })
  })

  it('says what was not checked', () => {
    const { terminal } = fakeContext({})
    printReport(terminal, { ...sound, unsigned: 2, checkpoint: undefined })
    expect(terminal.stdout()).toContain('nothing yet')
    expect(terminal.stdout()).toContain('2, younger than the checkpoint')
    expect(terminal.stdout()).toContain('1 bodies, by retention')
  })
})

describe('aegis audit prove', () => {
  it('prints the proof as it is', async () => {
    const { context, terminal } = fakeContext({
      audit: { prove: async (index, size) => `proof of ${index} at ${size}\n` },
    })
    await proveEntry(context, ['3'], { size: 5 })
    expect(terminal.stdout()).toBe('proof of 3 at 5\n')
  })
})

it('describes an entry without its hashes', () => {
  const data = { input: 'sha256:00', agentName: 'echo', isolation: 'process', priority: 0 }
  expect(describeEntry({ at, type: 'execution.queued', data })).toBe('echo, isolation process')
})
