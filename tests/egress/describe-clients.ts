import { describe, expect, it } from 'vitest'
import { type EgressScene, tryBefore } from './egress-scene.ts'

export function describeClients(scene: EgressScene): void {
  describe('unmodified clients', () => {
    const tried = tryBefore(scene, async () => {
      const { world } = scene
      const web = world.address('web')
      return {
        name: 'clients',
        script: 'clients.sh',
        network: {
          // Each server by its name and port, and its address, which lies in a range that is not public.
          allowlist: [
            ...['web.aegis.test', '*.wild.test', 'db.aegis.test:5432'],
            ...['cache.aegis.test:6379', 'shell.aegis.test:22'],
            ...[`${web}/32`, `${world.address('db')}/32:5432`],
            ...[`${world.address('cache')}/32:6379`, `${world.address('shell')}/32:22`],
          ],
        },
      }
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
      expect(tried().probes.get(name)).toEqual({ code: 0, said: expect.stringMatching(said) })
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
    ])('reach nothing else: %s', (name) => {
      expect(tried().probes.get(name)?.code).toBeGreaterThan(0)
    })

    it.each(['proxy-plain', 'proxy-address'])('are told why they may not: %s', (name) => {
      expect(tried().probes.get(name)?.said).toMatch(/"code":"egress\.no-rule".*"remedy"/)
    })

    it('reach no host that no rule names, not even with a connection', () => {
      expect(scene.world.evil.connections).toBe(0)
      expect(scene.world.names.asked).not.toContain('evil.test')
    })

    it.each([
      ['web.aegis.test', 443, 'network.allowlist[0]'],
      ['web.aegis.test', 80, 'network.allowlist[0]'],
      ['sub.wild.test', 443, 'network.allowlist[1]'],
      ['db.aegis.test', 5432, 'network.allowlist[2]'],
      ['cache.aegis.test', 6379, 'network.allowlist[3]'],
      ['shell.aegis.test', 22, 'network.allowlist[4]'],
    ])('are in the audit with name, port, rule and execution: %s:%d', (host, port, field) => {
      const { audit, executionId } = tried()
      const begun = audit.find(
        ({ type, data }) =>
          type === 'execution.connecting' && data.host === host && data.port === port,
      )
      expect(begun).toMatchObject({ executionId })
      expect(begun?.data.policies).toContain(`agent/clients/${field}`)
      const ended = audit.find(
        ({ type, data }) =>
          type === 'execution.disconnected' && data.connection === begun?.data.connection,
      )
      expect(ended?.data).toMatchObject({
        bytesIn: expect.any(Number),
        bytesOut: expect.any(Number),
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
      ...(scene.kind.captures ? [['network.connect', '[2001:db8::7]:80']] : []),
    ])('are in the audit with what they were refused: %s %s', (action, subject) => {
      const same = tried().denied.filter(({ data }) => data.action === action)
      expect(same.map(({ data }) => data.subject)).toContain(subject)
    })

    it('leave a log that verifies', async () => {
      const { code, stdout, stderr } = await scene.node.aegis.run('audit', 'verify')
      expect({ code, said: stdout + stderr }).toMatchObject({ code: 0 })
    })
  })
}
