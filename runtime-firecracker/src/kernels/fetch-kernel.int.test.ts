import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aKrunfw } from '../testing/a-krunfw.ts'
import {
  aDeb,
  type FakeMirror,
  makeSigner,
  publish,
  type Signer,
  sha256Of,
  startFakeMirror,
} from '../testing/fake-mirror.ts'
import { type FetchProgress, fetchKernel } from './fetch-kernel.ts'
import { openKernelStore } from './kernel-store.ts'
import { kernelOfKrunfw } from './krunfw.ts'
import type { PinnedKernel } from './pinned-kernel.ts'

const deb = aDeb(aKrunfw())
const pinned: PinnedKernel = {
  suite: 'sid',
  package: {
    ...{ name: 'libkrunfw5', version: '5.0', sha256: sha256Of(deb), sizeBytes: deb.length },
    path: 'pool/main/libk/libkrunfw/libkrunfw5_5.0_amd64.deb',
  },
  digest: sha256Of(kernelOfKrunfw(aKrunfw())),
  since: new Date('2026-10-30T08:00:00Z'),
}
const now = new Date('2026-11-28T20:00:00Z')

let directory: string
let mirror: FakeMirror
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-fetch-'))
  mirror = await startFakeMirror()
  mirror.files.set(pinned.package.path, deb)
})
afterEach(async () => {
  await mirror[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

const fetched = (options: { latest?: boolean; keyring?: string; signal?: AbortSignal } = {}) => {
  const progress: FetchProgress[] = []
  const store = openKernelStore(directory)
  const outcome = fetchKernel({
    ...{ store, latest: false, mirror: `${mirror.url}/`, pinned, now },
    ...{ onProgress: (one: FetchProgress) => progress.push(one), ...options },
    signal: options.signal ?? AbortSignal.timeout(20_000),
  })
  return { store, progress, outcome }
}

describe('the pinned kernel', () => {
  it('is fetched by its digest, without any index, and is what machines boot', async () => {
    const { store, progress, outcome } = fetched()
    expect(await outcome).toMatchObject({
      wasStored: false,
      notices: [],
      record: { linux: '6.12.91', needsAcpi: false, origin: { version: '5.0', trust: 'pinned' } },
    })
    expect(await store.current()).toMatchObject({ digest: pinned.digest })
    expect(mirror.asked).toEqual([pinned.package.path])
    expect(progress.at(-1)).toMatchObject({ phase: 'unpack' })
  })

  it('is not fetched twice, but again when it was damaged since', async () => {
    await fetched().outcome
    expect(await fetched().outcome).toMatchObject({ wasStored: true })
    expect(mirror.asked).toHaveLength(1)
    await rm(join(directory, pinned.digest, 'vmlinux'))
    await writeFile(join(directory, pinned.digest, 'vmlinux'), 'other')
    const { store, outcome } = fetched()
    expect(await outcome).toMatchObject({ wasStored: false })
    await store.current()
  })

  it.each([
    ['a byte of it was flipped', (whole: Buffer) => flipped(whole), 'kernel.digest'],
    ['it is larger', (whole: Buffer) => Buffer.concat([whole, whole]), 'kernel.digest'],
    ['it ends early', (whole: Buffer) => whole.subarray(0, 100), 'kernel.digest'],
  ])('is refused when %s, and nothing stays', async (_, change, code) => {
    mirror.files.set(pinned.package.path, change(deb))
    await expect(fetched().outcome).rejects.toMatchObject({ kind: 'denied', code })
    expect(await readdir(directory)).toEqual([])
  })

  it('is given up when whoever asked gives up', async () => {
    const { outcome } = fetched({ signal: AbortSignal.abort() })
    await expect(outcome).rejects.toThrow()
    expect(await readdir(directory)).toEqual([])
  })
})

it.each([
  'ftp://mirror/debian',
  'mirror',
  'file:///etc',
  'http://mirror/?x=1',
])('refuses %s as a mirror', async (url) => {
  const store = openKernelStore(directory)
  const signal = AbortSignal.timeout(5000)
  const options = { store, latest: false, mirror: url, now, onProgress: () => {}, signal }
  await expect(fetchKernel(options)).rejects.toMatchObject({ code: 'kernel.mirror' })
})

it('says so when a mirror does not answer', async () => {
  await mirror[Symbol.asyncDispose]()
  await expect(fetched().outcome).rejects.toMatchObject({
    kind: 'unavailable',
    code: 'kernel.download',
    message: expect.stringContaining('--mirror'),
  })
})

const hasGpg = ['gpg', 'gpgv'].every((program) => {
  try {
    return execFileSync(program, ['--version']).length > 0
  } catch {
    return false
  }
})
describe.skipIf(!hasGpg)('by the signature of the distribution (gpg)', () => {
  let signer: Signer
  let stranger: Signer
  beforeAll(async () => {
    signer = await makeSigner()
    stranger = await makeSigner()
  })
  afterAll(async () => {
    await signer[Symbol.asyncDispose]()
    await stranger[Symbol.asyncDispose]()
  })
  const fresh = new Date('2026-11-27T00:00:00Z')
  const newest = () => fetched({ latest: true, keyring: signer.keyring }).outcome

  it.each([
    true,
    false,
  ])('the newest is fetched, by the digest of its index or not: %s', async (byHash) => {
    await publish(mirror, signer, { deb, date: fresh, byHash })
    expect(await newest()).toMatchObject({
      notices: [],
      record: { origin: { version: '6.0', trust: 'signature', digest: sha256Of(deb) } },
    })
  })

  it('stands in for the pinned one once that is gone, and it is said', async () => {
    await publish(mirror, signer, { deb, date: fresh })
    mirror.files.delete(pinned.package.path)
    const { outcome } = fetched({ keyring: signer.keyring })
    const { record, notices } = await outcome
    expect(record.origin).toMatchObject({ version: '6.0', trust: 'signature' })
    expect(notices).toEqual([expect.stringContaining('libkrunfw5 5.0')])
  })

  it('an index past its date is used, and it is said', async () => {
    await publish(mirror, signer, { deb, date: new Date('2026-11-01T00:00:00Z') })
    expect((await newest()).notices).toEqual([expect.stringContaining('21 days past its date')])
  })

  it('an index from before this release is refused', async () => {
    await publish(mirror, signer, { deb, date: new Date('2026-10-01T00:00:00Z') })
    await expect(newest()).rejects.toMatchObject({ kind: 'denied', code: 'kernel.index-old' })
  })

  it('an index that is signed for another distribution is refused', async () => {
    await publish(mirror, signer, { deb, date: fresh, suite: 'experimental' })
    await expect(newest()).rejects.toMatchObject({ kind: 'denied', code: 'kernel.index' })
  })

  it("an index with a stranger's signature, an altered one, and one without are refused", async () => {
    await publish(mirror, stranger, { deb, date: fresh })
    await expect(newest()).rejects.toMatchObject({ kind: 'denied', code: 'kernel.signature' })
    await publish(mirror, signer, { deb, date: fresh })
    const good = mirror.files.get('dists/sid/InRelease')?.toString() ?? ''
    for (const bad of [
      good.replace('Codename: sid', 'Codename: sad'),
      `Codename: sid\n\n${good.replace('libkrunfw', 'x').replace(' main/', ' other/')}`,
      good.slice(0, good.indexOf('-----BEGIN PGP SIGNATURE')),
      `${good}\n${good}`,
      '',
    ]) {
      mirror.files.set('dists/sid/InRelease', Buffer.from(bad))
      await expect(newest()).rejects.toMatchObject({ kind: 'denied', code: 'kernel.signature' })
    }
    expect(await readdir(directory)).toEqual([])
  })

  it('what stands before the signed text is not read', async () => {
    await publish(mirror, signer, { deb, date: fresh })
    const good = mirror.files.get('dists/sid/InRelease')?.toString() ?? ''
    mirror.files.set('dists/sid/InRelease', Buffer.from(`Codename: evil\nX: y\n\n${good}`))
    expect(await newest()).toMatchObject({ record: { origin: { version: '6.0' } } })
  })

  it('an index of packages that is not the signed one is refused', async () => {
    await publish(mirror, signer, { deb, date: fresh })
    const [path = ''] = [...mirror.files.keys()].filter((one) => one.includes('by-hash'))
    mirror.files.set(path, flipped(mirror.files.get(path) ?? Buffer.alloc(1)))
    await expect(newest()).rejects.toMatchObject({ code: 'kernel.digest' })
  })

  it('keys that are not there are named, with what brings them', async () => {
    await publish(mirror, signer, { deb, date: fresh })
    const { outcome } = fetched({ latest: true, keyring: join(directory, 'none.gpg') })
    await expect(outcome).rejects.toMatchObject({
      code: 'kernel.no-keyring',
      message: expect.stringContaining('apt-get install debian-archive-keyring'),
    })
  })
})

function flipped(content: Buffer): Buffer {
  const copy = Buffer.from(content)
  copy[40] = (copy[40] ?? 0) ^ 1
  return copy
}
