import { setTimeout as delay } from 'node:timers/promises'
import type { AuditProgress, LoggedEntry } from '@aegis/core'
import {
  checkProof,
  entriesPath,
  makeMerkleHash,
  openCheckpoint,
  parseVerifierKey,
  readBundle,
  readEntry,
  toBase64,
} from '@aegis/core/audit'
import { aManifest, pureSha256 } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import type { ControlPlaneHost } from './control-plane-host.ts'

const merkle = makeMerkleHash(pureSha256)
const crypto = {
  sha256: pureSha256,
  // As the notary of these nodes signs.
  verify: (_key: Uint8Array, text: Uint8Array, signature: Uint8Array) =>
    Buffer.from(pureSha256(text)).equals(signature),
}

/** What every control plane promises of the audit. */
export function describeControlPlaneAudit(
  name: string,
  open: () => Promise<ControlPlaneHost>,
): void {
  const { signal } = new AbortController()

  /** A node on which an agent was deployed and has done a task. */
  const given = async () => {
    const host = await open()
    const { agents, executions } = host.plane
    const { id: agentId } = await agents.deploy(aManifest('echo'))
    const id = await executions.execute('echo', 'Hello')
    for await (const _ of executions.events(id, { follow: true }, signal)) {
      // Until it has ended.
    }
    return { host, agentId, id, audit: host.plane.audit }
  }
  const typesOf = (entries: readonly LoggedEntry[]) => entries.map(({ entry }) => entry?.type)

  describe(`the audit of the control plane: ${name}`, () => {
    it('lists what happened, newest first, by what it was about', async () => {
      const { host, agentId, id, audit } = await given()
      await using _ = host
      const all = await audit.list({}, signal)
      expect(all.map(({ index }) => index)).toEqual(all.map((_, at) => all.length - 1 - at))
      expect(typesOf(all).at(-1)).toBe('agent.deployed')
      expect(typesOf(all)[0]).toBe('execution.completed')
      const ofAgent = await audit.list({ agentRef: 'echo', type: 'agent.*' }, signal)
      expect(typesOf(ofAgent)).toEqual(['agent.deployed'])
      expect(await audit.list({ agentRef: agentId }, signal)).toHaveLength(all.length)
      const ofTask = await audit.list({ executionId: id, limit: 2 }, signal)
      expect(ofTask).toEqual(all.slice(0, 2))
      expect(await audit.list({ before: 1 }, signal)).toEqual(all.slice(-1))
      expect(await audit.list({ until: '2020-01-01T00:00:00.000Z' }, signal)).toEqual([])
      expect(await audit.list({ actor: 'nobody' }, signal)).toEqual([])
      await expect(audit.list({ agentRef: 'nobody' }, signal)).rejects.toMatchObject({
        code: 'agent.absent',
      })
    })

    it('keeps what it has of an agent that was removed', async () => {
      const { host, agentId, audit } = await given()
      await using _ = host
      await host.plane.agents.remove('echo')
      expect(typesOf(await audit.list({ agentRef: agentId, limit: 1 }, signal))).toEqual([
        'agent.removed',
      ])
    })

    it('shows one entry, whose hash is that of its leaf', async () => {
      const { host, audit } = await given()
      await using _ = host
      const { index, hash, entry } = await audit.entry(1)
      expect([index, entry?.type]).toEqual([1, 'execution.queued'])
      const [, body = new Uint8Array()] = readBundle(await audit.tile(entriesPath(0, 2))).bodies
      expect(toBase64(merkle.leaf(body))).toBe(hash)
      expect(readEntry(body)).toEqual(entry)
      await expect(audit.entry(10_000)).rejects.toMatchObject({ code: 'audit.absent' })
    })

    it('follows from where it is told to, each entry once, until it is told to stop', async () => {
      const { host, audit } = await given()
      await using _ = host
      const stop = new AbortController()
      const seen: number[] = []
      const followed = (async () => {
        for await (const { index } of audit.follow({ from: 1, type: 'execution.*' }, stop.signal)) {
          seen.push(index)
          if (seen.length === 3) await host.plane.executions.execute('echo', 'again')
          if (seen.length === 14) stop.abort()
        }
      })()
      await followed
      expect(seen).toEqual(seen.toSorted((a, b) => a - b))
      expect(new Set(seen).size).toBe(seen.length)
      expect(seen.slice(0, 3)).toEqual([1, 2, 3])
    })

    it('follows from now on where it is told nothing', async () => {
      const { host, audit } = await given()
      await using _ = host
      const [newest] = await audit.list({ limit: 1 }, signal)
      const stop = new AbortController()
      const entries = audit.follow({}, stop.signal)[Symbol.asyncIterator]()
      const first = entries.next()
      // Until it listens: what it misses before is not promised.
      let heard: LoggedEntry | undefined
      for (let turn = 0; heard === undefined && turn < 100; turn += 1) {
        await host.plane.agents.pause('echo')
        await host.plane.agents.resume('echo')
        const outcome = await Promise.race([first, delay(50, undefined)])
        heard = outcome?.value
      }
      expect(heard?.index).toBeGreaterThan(newest?.index ?? Number.NaN)
      stop.abort()
      await entries.return?.()
    })

    it('gives checkpoints and tiles away as monitors read them', async () => {
      const { host, audit } = await given()
      await using _ = host
      const key = parseVerifierKey(await audit.key(), pureSha256)
      const [newest] = await audit.list({ limit: 1 }, signal)
      const { size } = openCheckpoint(await audit.checkpoint(), key, crypto.verify)
      expect(size).toBe((newest?.index ?? 0) + 1)
      expect(await audit.tile(`tile/0/000.p/${size}`)).toHaveLength(32 * size)
      for (const path of ['tile/0/001', 'tile/1/000', 'tile/entries/000', 'tile/0/999', 'tile/x']) {
        await expect(audit.tile(path)).rejects.toMatchObject({
          kind: 'not-found',
          code: 'audit.tile',
        })
      }
    })

    it('proves an entry, as the log is and as it was', async () => {
      const { host, audit } = await given()
      await using _ = host
      const key = parseVerifierKey(await audit.key(), pureSha256)
      for (const size of [undefined, 2, 3]) {
        const proven = checkProof(await audit.prove(1, size), key, crypto)
        expect(readEntry(proven.body ?? new Uint8Array())?.type).toBe('execution.queued')
        if (size !== undefined) expect(proven.checkpoint.size).toBe(size)
      }
      for (const [index, size] of [
        [10_000, undefined],
        [1, 1],
        [1, 10_000],
      ] as const) {
        await expect(audit.prove(index, size)).rejects.toMatchObject({ code: 'audit.absent' })
      }
    })

    it('is looked over once at a time', async () => {
      const { host, audit } = await given()
      await using _ = host
      const both = await Promise.allSettled([
        audit.verify(() => undefined, signal),
        audit.verify(() => undefined, signal),
      ])
      const refused = both.filter(({ status }) => status === 'rejected')
      // Over a network the second may come when the first is done.
      expect(refused.length).toBeLessThanOrEqual(1)
      for (const one of refused) expect(one).toMatchObject({ reason: { code: 'audit.busy' } })
      expect(await audit.verify(() => undefined, signal)).toMatchObject({ isSound: true })
    })

    it('looks the whole log over, and says how far it is', async () => {
      const { host, audit } = await given()
      await using _ = host
      await audit.checkpoint()
      const progress: AuditProgress[] = []
      const report = await audit.verify((news) => progress.push(news), signal)
      expect(report).toMatchObject({ origin: 'aegis/test', isSound: true, dropped: 0 })
      expect(report.checked).toBe(report.size)
      expect(progress.at(-1)).toEqual({ checked: report.size, size: report.size })
    })
  })
}
