import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { printedTo } from '../e2e/told-events.ts'
import { egressKinds, engineOf } from './egress-kinds.ts'
import { type AuditLine, type EgressNode, openEgressNode } from './egress-node.ts'
import { type Probe, readProbes } from './probe-lines.ts'
import { openWorld, type World } from './world/open-world.ts'

for (const { kind, whyNot, isolation, sandbox } of egressKinds()) {
  describe.skipIf(whyNot)(`${kind}: an agent that wants out${whyNot ? ` (${whyNot})` : ''}`, () => {
    let world: World
    let node: EgressNode
    let probes: ReadonlyMap<string, Probe>
    let denied: readonly AuditLine[]

    beforeAll(async () => {
      world = await openWorld()
      setTraps(world)
      const engine = await engineOf(isolation)
      node = await openEgressNode(world, engine && { engine })
      const web = `${world.address('web')}/32`
      const { id, events } = await node.runAgent({
        name: 'attacks',
        script: 'attacks.mjs',
        isolation,
        ...(sandbox && { sandbox }),
        timeout: '240s',
        network: {
          allowlist: [
            ...['web.aegis.test', 'rebind.aegis.test', 'meta.aegis.test', 'loop.aegis.test'],
            ...['private.aegis.test', 'mixed.aegis.test', web],
          ],
          http: [{ host: 'read.aegis.test', methods: ['GET'], paths: ['/hello*', '/nothing'] }],
          limits: { bytes_in: '64Mi' },
        },
      })
      probes = readProbes(printedTo('stdout', events))
      denied = (await node.audit(id)).filter(({ type }) => type === 'execution.denied')
    }, 300_000)
    afterAll(async () => {
      await node?.[Symbol.asyncDispose]()
      await world?.[Symbol.asyncDispose]()
    })

    const subjects = (code: string): readonly unknown[] =>
      denied.filter(({ data }) => data.code === code).map(({ data }) => data.subject)

    it('reaches nothing by any of its ways', () => {
      const reached = [...probes].filter(([, { code }]) => code === 0)
      expect(reached).toEqual([])
      expect(probes.size).toBeGreaterThan(90)
    })

    it('reaches no server that it may not, not even with a connection', () => {
      expect(world.evil.connections).toBe(0)
      expect(world.web.requests.filter((line) => /evil|smuggled|DELETE|TRACE/.test(line))).toEqual(
        [],
      )
    })

    it('says nothing in questions for names', () => {
      expect(world.names.asked.filter((name) => !name.endsWith('.aegis.test'))).toEqual([])
      expect(world.names.asked.filter((name) => name.split('.').length > 3)).toEqual([])
      const told = denied.filter(({ data }) => data.action === 'dns.resolve')
      expect(told.some(({ data }) => `${data.subject}`.endsWith('.evil.test'))).toBe(true)
    })

    it('gains nothing by a name server that changes its answer', () => {
      expect(subjects('egress.metadata-address')).toContain('rebind.aegis.test:80')
    })

    it('finds no metadata and no loopback behind a permitted name', () => {
      expect(subjects('egress.metadata-address')).toContain('meta.aegis.test:80')
      expect(subjects('egress.loopback-address')).toContain('loop.aegis.test:80')
      expect(subjects('egress.private-address')).toContain('private.aegis.test:80')
    })

    it('cannot front for another host', () => {
      expect(subjects('egress.sni-mismatch')).toContain('web.aegis.test:443')
      expect(subjects('egress.host-mismatch')).toEqual(
        expect.arrayContaining(['read.aegis.test:443', 'web.aegis.test:80']),
      )
    })

    it('is told by the record what it was refused, each with a reason', () => {
      for (const { data } of denied) {
        expect(data).toMatchObject({ reason: expect.any(String), code: expect.any(String) })
      }
    })

    it('is cut off by its budget', () => {
      expect(denied.some(({ data }) => `${data.code}`.startsWith('egress.budget'))).toBe(true)
    })
  })
}

/** Names of the agent that lead where no agent may. */
function setTraps({ names, address }: World): void {
  const web = address('web')
  names.answer('read.aegis.test', [web])
  names.answer('rebind.aegis.test', [web], ['169.254.169.254'], ['127.0.0.1'])
  names.answer('meta.aegis.test', ['169.254.169.254'])
  names.answer('loop.aegis.test', ['127.0.0.1'])
  names.answer('private.aegis.test', ['10.0.0.1'])
  names.answer('mixed.aegis.test', ['10.0.0.1', '169.254.169.254'])
}
