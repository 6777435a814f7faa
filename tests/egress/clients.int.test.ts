import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { printedTo } from '../e2e/told-events.ts'
import { egressKinds, engineOf } from './egress-kinds.ts'
import { type AuditLine, type EgressAgent, type EgressNode, openEgressNode } from './egress-node.ts'
import { type Probe, readProbes } from './probe-lines.ts'
import { openWorld, type World } from './world/open-world.ts'

for (const { kind, whyNot, captures, ...isolation } of egressKinds()) {
  describe.skipIf(whyNot)(`${kind}: unmodified clients${whyNot ? ` (${whyNot})` : ''}`, () => {
    let world: World
    let node: EgressNode
    let probes: ReadonlyMap<string, Probe>
    let audit: readonly AuditLine[]
    let executionId: string

    beforeAll(async () => {
      const resources = [openWorld({ databases: true }), engineOf(isolation.isolation)] as const
      const [opened, engine] = await Promise.all(resources)
      world = opened
      node = await openEgressNode(world, engine && { engine })
      const { id, events } = await node.runAgent(clientsAgent(world, isolation))
      executionId = id
      probes = readProbes(printedTo('stdout', events))
      audit = await node.audit(id)
    }, 240_000)
    afterAll(async () => {
      await node?.[Symbol.asyncDispose]()
      await world?.[Symbol.asyncDispose]()
    })

    it.each([
      ['curl', /^hello from web\.aegis\.test$/],
      ['curl-plain', /^hello from web\.aegis\.test$/],
      ['wildcard', /^hello from sub\.wild\.test$/],
      ['wildcard-deep', /^hello from deep\.sub\.wild\.test$/],
      ['git', /^hello from git$/],
      ['psql', /^42$/],
      ['redis', /^PONG$/],
      ['node', /^hello from web\.aegis\.test$/],
      ['python', /^hello from web\.aegis\.test$/],
      ['openssl', /CONNECTION ESTABLISHED.*Verification: OK/],
      ['ssh', /shell\.aegis\.test ssh-ed25519 /],
      ['through-proxy', /^hello from web\.aegis\.test$/],
    ])('reach what is permitted: %s', (name, said) => {
      expect(probes.get(name)).toEqual({ code: 0, said: expect.stringMatching(said) })
    })

    it.each([
      'other-name',
      'like-suffix',
      'bare-suffix',
      'other-port',
      'closed-port',
      'address',
      'address6',
      'proxy-name',
      'proxy-address',
    ])('reach nothing else: %s', (name) => {
      expect(probes.get(name)?.code).toBeGreaterThan(0)
    })

    it('are told by the proxy why they may not', () => {
      expect(probes.get('proxy-plain')?.said).toMatch(/evil\.test.*remedy/)
    })

    it('reach no host that no rule names, not even with a connection', () => {
      expect(world.evil.connections).toBe(0)
      expect(world.names.asked).not.toContain('evil.test')
    })

    it.each([
      ['web.aegis.test', 443, 'network.allowlist[0]'],
      ['web.aegis.test', 80, 'network.allowlist[0]'],
      ['sub.wild.test', 443, 'network.allowlist[1]'],
      ['db.aegis.test', 5432, 'network.allowlist[2]'],
      ['cache.aegis.test', 6379, 'network.allowlist[3]'],
      ['shell.aegis.test', 22, 'network.allowlist[4]'],
    ])('are in the audit with name, port, rule and execution: %s:%d', (host, port, field) => {
      const entry = audit.find(
        ({ type, data }) =>
          type === 'execution.connecting' && data.host === host && data.port === port,
      )
      expect(entry).toMatchObject({ execution_id: executionId })
      expect(entry?.data.policies).toContain(`agent/clients/${field}`)
      const end = audit.find(
        ({ type, data }) =>
          type === 'execution.disconnected' && data.connection === entry?.data.connection,
      )
      expect(end?.data).toMatchObject({
        bytesIn: expect.any(Number),
        durationMs: expect.any(Number),
      })
    })

    it.each([
      ['dns.resolve', 'evil.test'],
      ['dns.resolve', 'evilwild.test'],
      ['dns.resolve', 'wild.test'],
      ['network.connect', 'db.aegis.test:80'],
      ['network.connect', 'evil.test:443'],
      ['network.connect', '203.0.113.7:80'],
      ...(captures ? [['network.connect', '[2001:db8::7]:80']] : []),
    ])('are in the audit with what they were refused: %s %s', (action, subject) => {
      const denied = audit.filter(
        ({ type, data }) => type === 'execution.denied' && data.action === action,
      )
      expect(denied.map(({ data }) => data.subject)).toContain(subject)
    })

    it('leave a log that verifies', async () => {
      const { code, stdout, stderr } = await node.aegis.run('audit', 'verify')
      expect({ code, said: stdout + stderr }).toMatchObject({ code: 0 })
    })
  })
}

/** Each server by its name and port, and its address, which lies in a range that is not public. */
function clientsAgent(
  world: World,
  isolation: Pick<EgressAgent, 'isolation' | 'sandbox'>,
): EgressAgent {
  const web = world.address('web')
  return {
    name: 'clients',
    script: 'clients.sh',
    ...isolation,
    network: {
      allowlist: [
        ...['web.aegis.test', '*.wild.test', 'db.aegis.test:5432'],
        ...['cache.aegis.test:6379', 'shell.aegis.test:22'],
        ...[`${web}/32`, `${world.address('db')}/32:5432`],
        ...[`${world.address('cache')}/32:6379`, `${world.address('shell')}/32:22`],
      ],
    },
  }
}
