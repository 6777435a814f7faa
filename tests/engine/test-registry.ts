import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { programPath } from './requirements.ts'
import type { Engine } from './test-engine.ts'

export interface RegistryCredentials {
  readonly username: string
  readonly password: string
}

/** What a registry with `auth` demands. */
export const registryCredentials: RegistryCredentials = {
  username: 'tester',
  password: 'local-test',
}
const passwordFile = 'tester:$2y$05$aegisaegisaegisaegisaeGnhWvAGlmSF2O/5amcEiXTYB67AHX7.\n'

export interface PushedImage {
  /** `127.0.0.1:PORT/NAME`, to pull it by. */
  readonly reference: string
  /** `sha256:…` of its manifest. */
  readonly digest: string
}

/** A registry on the loopback, which engines take without TLS. */
export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`, the first part of a reference. */
  readonly address: string
  /**
   * Puts an image of the engine into the registry, as `name` (`team/agent:1`). The engine keeps
   * no tag of it, so that it can be pulled; its layers it has while the image is there.
   */
  push(engine: Engine, image: string, name: string): Promise<PushedImage>
}

/** Starts a registry on a free port; it ends with this process at the latest. */
export async function openTestRegistry({ auth = false } = {}): Promise<TestRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-registry-'))
  const configPath = join(directory, 'config.yml')
  await writeFile(join(directory, 'passwords'), passwordFile)
  await writeFile(configPath, JSON.stringify(configOf(directory, auth)))
  const keeper = startRegistry(directory, configPath)
  const close = async () => {
    const ended = once(keeper, 'exit')
    keeper.stdin.end()
    await ended
  }
  const address = await addressIn(keeper.stderr).catch(async (error) => {
    await close()
    throw error
  })
  return { address, push: (...image) => push(address, ...image), [Symbol.asyncDispose]: close }
}

/** The header by which the engine's API is given credentials, for a push or a pull. */
export function registryAuthHeader(credentials: RegistryCredentials): Record<string, string> {
  const encoded = Buffer.from(JSON.stringify(credentials)).toString('base64')
  // The engine wants the alphabet of URLs, and the padding that Node leaves out of it.
  return { 'x-registry-auth': encoded.replaceAll('+', '-').replaceAll('/', '_') }
}

async function push(
  address: string,
  engine: Engine,
  image: string,
  name: string,
): Promise<PushedImage> {
  const [path = name, tag = 'latest'] = name.split(':')
  const reference = `${address}/${path}:${tag}`
  const repo = `${address}/${path}`
  await engine.call('POST', `/images/${image}/tag`, { query: { repo, tag } })
  try {
    const query = { tag }
    const headers = registryAuthHeader(registryCredentials)
    const progress = await engine.call('POST', `/images/${repo}/push`, { query, headers })
    const digest = /"Digest":"(sha256:[0-9a-f]{64})"/.exec(progress)?.[1]
    if (digest) return { reference, digest }
    throw new Error(`${reference} cannot be pushed: ${progress.trim()}`)
  } finally {
    await engine.call('DELETE', `/images/${reference}`)
  }
}

function configOf(directory: string, auth: boolean): object {
  const htpasswd = { realm: 'tests', path: join(directory, 'passwords') }
  return {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, 'data') }, delete: { enabled: true } },
    http: { addr: '127.0.0.1:0' },
    ...(auth ? { auth: { htpasswd } } : {}),
  }
}

/** A shell ends the registry and removes its data when the pipe to this process does, by whatever. */
function startRegistry(directory: string, configPath: string) {
  const program = programPath('docker-registry') ?? 'docker-registry'
  const script = `
    "$1" serve "$2" < /dev/null &
    exec 2> /dev/null
    read -r nothing
    kill -9 $!; wait $!
    rm -rf "$3"`
  return spawn('/bin/sh', ['-c', script, 'sh', program, configPath, directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: {},
  })
}

async function addressIn(log: Readable): Promise<string> {
  const words: string[] = []
  for await (const line of createInterface(log)) {
    words.push(line)
    const [, address] = /listening on (127\.0\.0\.1:\d+)/.exec(line) ?? []
    if (address) return address
  }
  throw new Error(`The registry did not start. Its words:\n${words.join('\n')}`)
}
