import { describe, expect, it } from 'vitest'
import { type EgressScene, tryBefore } from './egress-scene.ts'
import type { World } from './world/open-world.ts'

export function describeAttacks(scene: EgressScene): void {
  describe('an agent that wants out', () => {
    const tried = tryBefore(scene, async () => {
      setTraps(scene.world)
      return {
        name: 'attacks',
        script: 'attacks.mjs',
        timeoutSeconds: 240,
        network: {
          allowlist: [
            ...['web.aegis.test', 'rebind.aegis.test', 'meta.aegis.test', 'loop.aegis.test'],
            ...['private.aegis.test', 'mixed.aegis.test', `${scene.world.address('web')}/32`],
          ],
          http: [{ host: 'read.aegis.test', methods: ['GET'], paths: ['/hello*', '/nothing'] }],
          limits: { bytes_in: '64Mi' },
        },
      }
    })

    const subjects = (code: string): readonly unknown[] =>
      tried()
        .denied.filter(({ data }) => data.code === code)
        .map(({ data }) => data.subject)

    it('reaches nothing by any of its ways', () => {
      const { probes } = tried()
      expect([...probes].filter(([, { code }]) => code === 0)).toEqual([])
      expect(probes.size).toBeGreaterThan(90)
    })

    it('reaches no server that it may not, not even with a connection', () => {
      const { evil, web } = scene.world
      expect(evil.connections).toBe(0)
      const harmless = web.requests.filter((line) => !line.includes('/redirect'))
      expect(harmless.filter((line) => /evil|smuggled|DELETE|TRACE/.test(line))).toEqual([])
    })

    it('says nothing in questions for names', () => {
      const { asked } = scene.world.names
      expect(asked.filter((name) => !/\.(aegis|wild)\.test$/.test(name))).toEqual([])
      expect(asked.filter((name) => name.length > 20)).toEqual([])
      const told = tried().denied.filter(({ data }) => data.action === 'dns.resolve')
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

    it('leaves a record of what it was refused, each with a reason', () => {
      for (const { data } of tried().denied) {
        expect(data).toMatchObject({ reason: expect.any(String), code: expect.any(String) })
      }
    })

    it('is cut off by its budget', () => {
      const codes = tried().denied.map(({ data }) => `${data.code}`)
      expect(codes.some((code) => code.startsWith('egress.budget'))).toBe(true)
    })
  })
}

/** Names of the agent that lead where no agent may. */
function setTraps({ names, address }: World): void {
  const web = address('web')
  names.answer('rebind.aegis.test', [web], ['169.254.169.254'], ['127.0.0.1'])
  names.answer('meta.aegis.test', ['169.254.169.254'])
  names.answer('loop.aegis.test', ['127.0.0.1'])
  names.answer('private.aegis.test', ['10.0.0.1'])
  names.answer('mixed.aegis.test', ['10.0.0.1', '169.254.169.254'])
}
