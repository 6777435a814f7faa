import { AegisError, type ImageSignature, manifestText, type SupplyVerifiers } from '@aegis/core'
import { aManifest, noSupply } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import type { ImagePlaneHost, MemoryNodeOptions } from './control-plane-host.ts'

/** Trusts a signature of one byte, and a note that says so. */
const trusting: SupplyVerifiers = {
  images: { isSigned: ({ signature }) => signature[0] === 1 },
  manifests: {
    open(note) {
      const [text = '', signature] = note.split('\n\n')
      if (signature === '— trusted AAAA\n') return `${text}\n`
      throw new AegisError('denied', 'manifest.signature', 'Signed by no trusted key.')
    },
  },
}
const imagesOnly = { supply: { ...noSupply, images: trusting.images } }
const manifestsOnly = { supply: { ...noSupply, manifests: trusting.manifests } }

/** What every control plane promises of signatures, the node itself and a client alike. */
export function describeControlPlaneSupply(
  name: string,
  open: (options?: MemoryNodeOptions) => Promise<ImagePlaneHost>,
): void {
  describe(`supply of a control plane: ${name}`, () => {
    it('takes images by digest alone where the operator says so', async () => {
      await using host = await open({ requireDigest: true })
      const { agents } = host.plane
      const [digest = ''] = host.images.publish('node:24').digests
      const refused = { kind: 'denied', code: 'image.digest-required' }
      await expect(agents.deploy(inDocker('echo', 'node:24'))).rejects.toMatchObject(refused)
      expect(host.images.pulls).toEqual([])
      expect(await agents.list()).toEqual([])
      await host.plane.images.pull('node:24', () => undefined, forever)
      await expect(agents.deploy(inDocker('echo', 'node:24'))).rejects.toMatchObject({
        message: expect.stringContaining(digest),
      })
      expect(await agents.deploy(inDocker('echo', digest))).toMatchObject({
        image: { reference: digest, digest },
      })
      // What runs in no image needs none.
      await agents.deploy(aManifest('plain', { runtime: { isolation: 'process' } }))
    })

    it('deploys no agent whose image nobody signed that the operator trusts', async () => {
      await using host = await open(imagesOnly)
      const { agents } = host.plane
      const [digest = ''] = host.images.publish('node:24').digests
      const deploy = () => agents.deploy(inDocker('echo', 'node:24'))
      const unsigned = { kind: 'denied', code: 'image.unsigned' }
      await expect(deploy()).rejects.toMatchObject(unsigned)
      host.images.sign(digest, claim(digest, 2), claim(`other@sha256:${'0'.repeat(64)}`, 1))
      await expect(deploy()).rejects.toMatchObject(unsigned)
      expect(await agents.list()).toEqual([])
      host.images.sign(digest, claim(digest, 1))
      expect(await deploy()).toMatchObject({ changed: true, image: { digest } })
    })

    it('deploys none while the registry does not say whether its image is signed', async () => {
      await using host = await open(imagesOnly)
      const [digest = ''] = host.images.publish('node:24').digests
      host.images.sign(digest, claim(digest, 1))
      host.images.silence()
      await expect(host.plane.agents.deploy(inDocker('echo', 'node:24'))).rejects.toMatchObject({
        kind: 'unavailable',
        code: 'image.network',
        message: expect.stringContaining('whether'),
      })
    })

    it('runs no task in an image that nobody signed, wherever the agent was deployed for', async () => {
      await using host = await open(imagesOnly)
      const { agents, executions } = host.plane
      const [digest = ''] = host.images.publish('node:24').digests
      await agents.deploy(aManifest('echo'))
      const run = async () => {
        const id = await executions.execute('echo', 'hi', { isolation: 'docker' })
        await Array.fromAsync(executions.events(id, { follow: true }, forever))
        return executions.find(id)
      }
      const { status, failure } = await run()
      expect(status).toBe('failed')
      expect(failure).toMatchObject({
        cause: 'image_failed',
        message: expect.stringContaining('must be signed by a key'),
      })
      host.images.sign(digest, claim(digest, 1))
      expect(await run()).toMatchObject({ status: 'completed', output: 'hi' })
    })

    it('takes a manifest only with the signature of a key that the operator trusts', async () => {
      await using host = await open(manifestsOnly)
      const { agents } = host.plane
      const manifest = aManifest('echo')
      const signed = `${manifestText(manifest)}\n— trusted AAAA\n`
      const deploy = (note?: string) => agents.deploy(manifest, { signed: note })
      await expect(deploy()).rejects.toMatchObject({ kind: 'denied', code: 'manifest.unsigned' })
      const wrong = { kind: 'denied', code: 'manifest.signature' }
      await expect(deploy(signed.replace('trusted', 'another'))).rejects.toMatchObject(wrong)
      expect(await agents.list()).toEqual([])
      expect(await deploy(signed)).toMatchObject({ changed: true, revision: 1 })
      expect(await agents.manifest('echo')).toEqual(manifest)
    })

    it('takes a signed manifest also where nothing has to be signed', async () => {
      await using host = await open()
      const manifest = aManifest('echo')
      const signed = `${manifestText(manifest)}\n— whoever AAAA\n`
      expect(await host.plane.agents.deploy(manifest, { signed })).toMatchObject({ changed: true })
      expect(await host.plane.agents.deploy(manifest)).toMatchObject({ changed: false })
    })
  })
}

const forever = new AbortController().signal

const inDocker = (name: string, image: string) =>
  aManifest(name, { runtime: { isolation: 'docker', image } })

/** A signature that says that it is of this image. */
const claim = (digest: string, ...signature: readonly number[]): ImageSignature => ({
  payload: new TextEncoder().encode(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': 'node' },
        image: { 'docker-manifest-digest': digest.split('@')[1] },
        type: 'cosign container image signature',
      },
    }),
  ),
  signature: Uint8Array.from(signature),
})
