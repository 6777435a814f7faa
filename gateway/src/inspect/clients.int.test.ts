import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aSecret } from './testing/a-secret.ts'
import { type InspectScene, openInspectScene } from './testing/open-inspect-scene.ts'

const run = promisify(execFile)
const placeholder = `aegis-secret-${'0123456789abcdef'.repeat(2)}`
const value = 'ghp_real-value'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inspect-clients-'))
  const git = (...args: string[]) =>
    run('git', args, {
      cwd: join(folder, 'repo'),
      env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' },
    })
  await run('git', ['init', '-q', '-b', 'main', join(folder, 'repo')])
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@t']
  await git(...who, 'commit', '-q', '--allow-empty', '-m', 'the first commit')
  await git('update-server-info')
})
afterAll(() => rm(folder, { recursive: true }))

/** A site with a repository, that says what it was asked for elsewhere. */
const open = (): Promise<InspectScene> =>
  openInspectScene({
    allow: ['site.test:PORT'],
    http: { 'other.test:PORT': { methods: ['GET'] } },
    secrets: (port) => [
      aSecret({ name: 'github', placeholder, value, hosts: [`site.test:${port}`] }),
    ],
    site: async (incoming, outgoing) => {
      const path = (incoming.url ?? '').split('?')[0] ?? ''
      if (!path.startsWith('/repo/')) {
        // An upload is read before it is answered, but for one that is answered at once.
        if (path !== '/early') for await (const _ of incoming);
        outgoing.end(JSON.stringify({ ...incoming.headers, method: incoming.method }))
        return
      }
      const file = join(folder, path)
      const found = await stat(file).catch(() => undefined)
      if (found?.isFile()) outgoing.end(await readFile(file))
      else outgoing.writeHead(404).end()
    },
  })

/** What a sandbox sets; nothing else tells the client of us. */
const environment = async (scene: InspectScene): Promise<NodeJS.ProcessEnv> => {
  const proxy = `http://127.0.0.1:${await scene.proxy()}`
  return {
    PATH: process.env.PATH,
    HOME: folder,
    HTTPS_PROXY: proxy,
    https_proxy: proxy,
    http_proxy: proxy,
    SSL_CERT_FILE: scene.bundle,
    NODE_EXTRA_CA_CERTS: scene.bundle,
    GIT_SSL_CAINFO: scene.bundle,
    CURL_CA_BUNDLE: scene.bundle,
  }
}

describe('unmodified', () => {
  it('curl reaches the site by its name, without a proxy', async () => {
    await using scene = await open()
    const door = await scene.door()
    const { stdout } = await run('curl', [
      '-sS',
      '--cacert',
      scene.bundle,
      '--connect-to',
      `site.test:${scene.port}:127.0.0.1:${door}`,
      '-H',
      `Authorization: token ${placeholder}`,
      `https://site.test:${scene.port}/`,
    ])
    expect(JSON.parse(stdout)).toMatchObject({ method: 'GET', authorization: 'token [secret]' })
    expect(scene.seen[0]?.headers.authorization).toBe(`token ${value}`)
  })

  it('curl through the proxy is told why something is refused', async () => {
    await using scene = await open()
    const { stdout } = await run(
      'curl',
      ['-sS', '-X', 'DELETE', `https://other.test:${scene.port}/`],
      { env: await environment(scene) },
    )
    expect(JSON.parse(stdout)).toMatchObject({ code: 'egress.no-rule', remedy: expect.any(String) })
  })

  it.each(['/', '/early'])('curl uploads what is larger than every buffer to %s', async (path) => {
    await using scene = await open()
    const child = spawn('curl', ['-sS', '-T', '-', `https://site.test:${scene.port}${path}`], {
      env: await environment(scene),
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    child.stdin.end(Buffer.alloc(3_000_000))
    let out = ''
    for await (const chunk of child.stdout) out += chunk
    expect(JSON.parse(out)).toMatchObject({ method: 'PUT', 'transfer-encoding': 'chunked' })
  })

  it('git clones over https', async () => {
    await using scene = await open()
    const to = join(folder, `clone-${scene.port}`)
    await run(
      'git',
      ['clone', '-q', `https://x:${placeholder}@site.test:${scene.port}/repo/.git`, to],
      {
        env: { ...(await environment(scene)), GIT_TERMINAL_PROMPT: '0' },
      },
    )
    const { stdout } = await run('git', ['log', '--format=%s'], { cwd: to })
    expect(stdout).toBe('the first commit\n')
  })

  it('Python opens URLs', async () => {
    await using scene = await open()
    const program = `
import urllib.request, sys
request = urllib.request.Request(sys.argv[1], headers={'X-Api-Key': sys.argv[2]})
print(urllib.request.urlopen(request).read().decode())
`
    const { stdout } = await run(
      'python3',
      ['-c', program, `https://site.test:${scene.port}/`, placeholder],
      { env: await environment(scene) },
    )
    expect(JSON.parse(stdout)).toMatchObject({ 'x-api-key': '[secret]' })
  })

  it('Node fetches', async () => {
    await using scene = await open()
    const program = `
fetch(process.argv[1], { headers: { authorization: 'Bearer ' + process.argv[2] } })
  .then((response) => response.text())
  .then(console.log, console.error)
`
    const { stdout } = await run(
      process.execPath,
      ['--use-env-proxy', '-e', program, `https://site.test:${scene.port}/`, placeholder],
      { env: await environment(scene) },
    )
    expect(JSON.parse(stdout)).toMatchObject({ authorization: 'Bearer [secret]' })
  })

  it('openssl verifies our certificate against the bundle, also without HTTP', async () => {
    await using scene = await open()
    const child = spawn('openssl', [
      ...['s_client', '-connect', `127.0.0.1:${await scene.door()}`, '-servername', 'site.test'],
      ...['-verify_hostname', 'site.test', '-CAfile', scene.bundle, '-verify_return_error'],
      ...['-alpn', 'h2,http/1.1'],
    ])
    let out = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    await expect.poll(() => out, { timeout: 10_000 }).toContain('Verify return code: 0 (ok)')
    child.kill()
    expect(out).toContain('CN = AEGIS test ephemeral CA')
    expect(out).toContain('ALPN protocol: http/1.1')
  })
})
