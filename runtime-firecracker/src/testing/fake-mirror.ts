import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { anAr, aTar } from './an-archive.ts'

const run = promisify(execFile)

export interface FakeMirror extends AsyncDisposable {
  readonly url: string
  /** What it hands out, by path; a test may change or remove it. */
  readonly files: Map<string, Buffer>
  /** Paths that were asked for, in order. */
  readonly asked: readonly string[]
}

/** A mirror of a distribution on a free port. */
export async function startFakeMirror(): Promise<FakeMirror> {
  const files = new Map<string, Buffer>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '/').slice(1))
    asked.push(path)
    const content = files.get(path)
    if (content === undefined) response.writeHead(404).end()
    else response.end(content)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    files,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export const sha256Of = (content: Buffer): string =>
  createHash('sha256').update(content).digest('hex')

/** A package with this library in it. */
export const aDeb = (library: Buffer): Buffer =>
  anAr([
    { name: 'debian-binary', content: Buffer.from('2.0\n') },
    {
      name: 'data.tar.gz',
      content: gzipSync(
        aTar([
          { path: 'usr/share/doc/libkrunfw5/copyright', content: Buffer.from('GPL') },
          { path: 'usr/lib/x86_64-linux-gnu/libkrunfw.so.5.5.0', content: library },
        ]),
      ),
    },
  ])

export interface Signer extends AsyncDisposable {
  readonly keyring: string
  sign(text: string): Promise<Buffer>
}

/** Somebody with a key of their own, as a distribution has one. */
export async function makeSigner(): Promise<Signer> {
  const home = await mkdtemp(join(tmpdir(), 'aegis-signer-'))
  const gpg = (...args: readonly string[]) =>
    run('gpg', ['--homedir', home, '--batch', '--quiet', '--passphrase', '', ...args])
  await gpg('--quick-generate-key', 'Archive <archive@example.test>', 'ed25519', 'sign', 'never')
  const keyring = join(home, 'archive.gpg')
  await gpg('--output', keyring, '--export')
  return {
    keyring,
    async sign(text) {
      const [plain, signed] = [join(home, 'Release'), join(home, 'InRelease')]
      await writeFile(plain, text)
      await gpg('--yes', '--output', signed, '--clear-sign', plain)
      return readFile(signed)
    },
    async [Symbol.asyncDispose]() {
      await run('gpgconf', ['--homedir', home, '--kill', 'all']).catch(() => {})
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** Puts an index below a mirror that names this package, with its signature. */
export async function publish(
  mirror: FakeMirror,
  signer: Signer,
  { deb, date, suite = 'sid', byHash = true }: PublishedIndex,
): Promise<void> {
  const path = 'pool/main/libk/libkrunfw/libkrunfw5_6.0_amd64.deb'
  mirror.files.set(path, deb)
  const packages = gzipSync(
    `Package: libkrunfw5\nVersion: 6.0\nFilename: ${path}\nSize: ${deb.length}\nSHA256: ${sha256Of(deb)}\n`,
  )
  const below = `dists/${suite}/main/binary-amd64`
  const place = byHash ? `by-hash/SHA256/${sha256Of(packages)}` : 'Packages.gz'
  mirror.files.set(`${below}/${place}`, packages)
  const until = new Date(date.getTime() + 7 * 86_400_000)
  const release = [
    `Codename: ${suite}`,
    `Date: ${date.toUTCString()}`,
    `Valid-Until: ${until.toUTCString()}`,
    ...(byHash ? ['Acquire-By-Hash: yes'] : []),
    'SHA256:',
    ` ${sha256Of(packages)} ${packages.length} main/binary-amd64/Packages.gz`,
    '',
  ]
  mirror.files.set('dists/sid/InRelease', await signer.sign(release.join('\n')))
}

export interface PublishedIndex {
  readonly deb: Buffer
  readonly date: Date
  readonly suite?: string
  readonly byHash?: boolean
}
