import { expect, it } from 'vitest'
import { describeEntry } from './describe-entry.ts'

const at = '2026-11-28T12:00:00.000Z'
const place = { iteration: 1, connection: 3, host: 'db.example.com', port: 5432 }

it.each([
  [
    'execution.denied',
    { action: 'dns.resolve', subject: 'evil.test', code: 'dns.denied', reason: 'No.', count: 4 },
    'dns.resolve evil.test: dns.denied (4 times)',
  ],
  [
    'execution.connecting',
    { ...place, address: '192.0.2.1', via: 'name', reading: 'opaque', policies: ['a'] },
    'db.example.com:5432, connection 3, address 192.0.2.1',
  ],
  [
    'execution.disconnected',
    { ...place, bytesOut: 10, bytesIn: 20, durationMs: 5 },
    'db.example.com:5432, connection 3, bytesOut 10, bytesIn 20, durationMs 5',
  ],
  ['execution.name-asked', { iteration: 1, name: 'example.com' }, 'example.com'],
])('says what an entry of %s is about', (type, data, said) => {
  expect(describeEntry({ at, type, data })).toBe(said)
})
