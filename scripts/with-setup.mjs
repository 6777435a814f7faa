// Makes a fresh clone ready, then runs a script of this folder on Node 24. Plain JavaScript without
// dependencies, since it is what installs them; runs on Node 20.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bin = join(root, 'node_modules', '.bin')
const [script, ...args] = process.argv.slice(2)

/** What the tests use besides what a user needs; only root can install it. */
const testPackages = {
  python3: 'python3',
  curl: 'curl',
  gcc: 'gcc libc6-dev',
  'musl-gcc': 'musl-tools',
  dockerd: 'docker.io',
  'docker-registry': 'docker-registry',
  runsc: 'runsc',
  mmdebstrap: 'mmdebstrap',
  'qemu-system-x86_64': 'qemu-system-x86',
  'fsck.erofs': 'erofs-utils',
  git: 'git',
  openssl: 'openssl',
  'redis-server': 'redis-server redis-tools',
  sshd: 'openssh-server openssh-client',
  pg_ctlcluster: 'postgresql',
}

requireNode20()
installDependencies()
requireProgram('cc', 'gcc libc6-dev', 'compiles the guest, the program inside every sandbox')
requireProgram('bwrap', 'bubblewrap', 'isolates agents on this host')
if (['scripts/test.ts', 'bench/run.ts'].includes(script)) offerTestPackages()
process.exit(run(script, args))

function requireNode20() {
  const major = Number(process.versions.node.split('.')[0])
  if (major < 20) fail(`Node.js 20 or later is needed; this is ${process.versions.node}.`)
}

function installDependencies() {
  const installed = join(root, 'node_modules', '.package-lock.json')
  const lock = join(root, 'package-lock.json')
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return
  say('Installing dependencies (npm ci) …')
  const flags = ['--no-audit', '--no-fund', '--loglevel=error']
  const { status } = spawnSync('npm', ['ci', ...flags], { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) fail('npm ci failed; its words are above.')
}

function requireProgram(program, packages, purpose) {
  if (onPath(program)) return
  if (!apt(packages)) {
    fail(
      `${program} is missing; it ${purpose}. Install it and try again:\n  sudo apt-get install -y ${packages}`,
    )
  }
}

function offerTestPackages() {
  for (const [program, packages] of Object.entries(testPackages)) {
    if (!onPath(program)) apt(packages)
  }
}

/** Installs Debian packages when that is possible here. */
function apt(packages) {
  if (process.getuid?.() !== 0 || !onPath('apt-get')) return false
  say(`Installing ${packages} (apt-get) …`)
  // Tests start the programs themselves; the services of these packages must not run.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', SYSTEMD_OFFLINE: '1' }
  const install = () =>
    spawnSync(
      'apt-get',
      ['install', '-y', '-q', '--no-install-recommends', ...packages.split(' ')],
      {
        env,
        encoding: 'utf8',
      },
    )
  let result = install()
  if (result.status !== 0) {
    spawnSync('apt-get', ['update', '-q'], { env, stdio: 'ignore' })
    result = install()
  }
  if (result.status !== 0) process.stderr.write(result.stderr ?? '')
  return result.status === 0
}

function onPath(program) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/sbin']
  return directories.some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** With the workspace's own Node first on the path, also for what the script starts. */
function run(file, rest) {
  const node = existsSync(join(bin, 'node')) ? join(bin, 'node') : process.execPath
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` }
  const result = spawnSync(node, [join(root, file), ...rest], { cwd: root, env, stdio: 'inherit' })
  return result.status ?? 1
}

function say(text) {
  process.stderr.write(`${text}\n`)
}

function fail(text) {
  say(`error: ${text}`)
  process.exit(1)
}
