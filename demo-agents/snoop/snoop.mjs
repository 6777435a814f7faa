// Tries what an agent must not be able to do, one thing after the other, and prints a line for
// each: `denied` with the reason, or `REACHED`. Exits 0 when nothing was reached, else 1.
import { spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { createConnection } from 'node:net'

const MiB = 1024 * 1024
const limits = { processes: 200, diskMiB: 256, memoryMiB: 1024, waitMs: 3000 }

if (process.argv[2] === 'eat-memory') eatMemory()
else await snoop()

async function snoop() {
  const attempts = [
    ...files(),
    ...processes(),
    ...writes(),
    ...network(),
    ...devices(),
    ...privileges(),
    // What exhausts the sandbox comes last, so that the report of the rest is out by then.
    [`start ${limits.processes} processes`, startManyProcesses],
    [`write ${limits.diskMiB} MiB to /workspace`, fillDisk],
    [`use ${limits.memoryMiB} MiB of memory`, useMuchMemory],
  ]
  let reached = 0
  for (const [what, attempt] of attempts) {
    try {
      const found = await attempt()
      reached += 1
      console.log(`REACHED  ${what.padEnd(40)}  ${found ?? ''}`.trimEnd())
    } catch (error) {
      console.log(`denied   ${what.padEnd(40)}  ${error.code ?? error.message}`)
    }
  }
  const denied = attempts.length - reached
  console.log(`snoop: ${attempts.length} attempts, ${denied} denied, ${reached} reached`)
  process.exitCode = reached === 0 ? 0 : 1
}

function files() {
  const read = (path) => [`read ${path}`, () => void readFileSync(path)]
  const list = (path) => [`list ${path}`, () => someOf(readdirSync(path))]
  return [
    read('/etc/shadow'),
    read('/etc/ssh/ssh_host_ed25519_key'),
    list('/root'),
    list('/home'),
    ...['/root/.aegis', '/var/lib/aegis', '/etc/aegis'].map(list),
    ['find a key in the environment', () => someOf(Object.keys(process.env).filter(holdsKey))],
  ]
}

/** AEGIS gives clients of models a word in place of a key, since they refuse to start without. */
function holdsKey(name) {
  return /KEY|TOKEN|SECRET|PASSWORD/i.test(name) && process.env[name] !== 'provided-by-aegis'
}

function processes() {
  return [
    ['read /proc/1/environ', () => void readFileSync('/proc/1/environ')],
    ['open /proc/1/mem', () => closeSync(openSync('/proc/1/mem', 'r'))],
    ['see processes of others', () => someOf(readdirSync('/proc').filter(isForeignProcess))],
    ['read /proc/kcore', () => closeSync(openSync('/proc/kcore', 'r'))],
    ['write /proc/sysrq-trigger', () => closeSync(openSync('/proc/sysrq-trigger', 'w'))],
  ]
}

/** Process 1 of a sandbox is the program that started this one. */
function isForeignProcess(entry) {
  return /^\d+$/.test(entry) && !['1', String(process.pid), String(process.ppid)].includes(entry)
}

function writes() {
  return ['/usr/bin', '/etc', '/opt', '/sys'].map((folder) => [
    `write to ${folder}`,
    () => {
      const path = `${folder}/snoop-was-here`
      closeSync(openSync(path, 'wx'))
      rmSync(path)
    },
  ])
}

function network() {
  return [
    ['connect to the internet (1.1.1.1:443)', () => connect({ host: '1.1.1.1', port: 443 })],
    [
      'connect by IPv6 ([2606:4700::1111]:443)',
      () => connect({ host: '2606:4700::1111', port: 443 }),
    ],
    ['connect to cloud metadata', () => connect({ host: '169.254.169.254', port: 80 })],
    ['connect to the host (127.0.0.1:22)', () => connect({ host: '127.0.0.1', port: 22 })],
    ['connect to Docker', () => connect({ path: '/var/run/docker.sock' })],
    ['resolve example.com', () => inTime(lookup('example.com').then(({ address }) => address))],
    ['ask a name server (UDP 1.1.1.1:53)', askNameServer],
  ]
}

function connect(target) {
  const socket = createConnection(target)
  const connected = new Promise((resolve, reject) => {
    socket.once('connect', () => resolve())
    socket.once('error', reject)
  })
  return inTime(connected).finally(() => socket.destroy())
}

function askNameServer() {
  const socket = createSocket('udp4')
  const query = Buffer.from('000101000001000000000000076578616d706c6503636f6d0000010001', 'hex')
  const answered = new Promise((resolve, reject) => {
    socket.once('message', () => resolve())
    socket.once('error', reject)
    socket.send(query, 53, '1.1.1.1', (error) => error && reject(error))
  })
  return inTime(answered).finally(() => socket.close())
}

function devices() {
  return ['/dev/mem', '/dev/kvm', '/dev/sda', '/dev/nvme0n1', '/dev/fuse'].map((path) => [
    `open ${path}`,
    () => closeSync(openSync(path, 'r')),
  ])
}

function privileges() {
  return [
    ['become root with su', () => run('su', ['-c', 'true'])],
    ['mount a file system', () => run('mount', ['-t', 'tmpfs', 'none', '/mnt'])],
    ['make a user namespace', () => run('unshare', ['--user', '--map-root-user', 'true'])],
    ['set the clock', () => run('date', ['-s', '@0'])],
  ]
}

function run(program, args) {
  const { error, status, signal, stderr } = spawnSync(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: limits.waitMs,
  })
  if (error) throw error
  if (status === 0) return
  throw new Error(String(stderr).trim().split('\n')[0] || signal || `exit code ${status}`)
}

async function startManyProcesses() {
  const children = []
  try {
    while (children.length < limits.processes) {
      const child = spawn('sleep', ['60'], { stdio: 'ignore' })
      await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
      children.push(child)
    }
  } catch (error) {
    throw new Error(`${error.code} after ${children.length}`)
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(
      children.map((child) => new Promise((resolve) => child.once('exit', resolve))),
    )
  }
}

function fillDisk() {
  const path = '/workspace/snoop.fill'
  const file = openSync(path, 'w')
  const chunk = Buffer.alloc(MiB, 1)
  let written = 0
  try {
    while (written < limits.diskMiB * MiB) written += writeSync(file, chunk)
  } catch (error) {
    throw new Error(`${error.code} after ${Math.round(written / MiB)} MiB`)
  } finally {
    closeSync(file)
    rmSync(path)
  }
}

/** A child does it, so that it is the child which is killed. */
async function useMuchMemory() {
  const child = spawn(process.execPath, [process.argv[1], 'eat-memory'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let eaten = 0
  child.stdout.on('data', (marks) => {
    eaten += marks.length
  })
  const [code, signal] = await new Promise((resolve, reject) => {
    child.once('close', (...end) => resolve(end)).once('error', reject)
  })
  if (code !== 0)
    throw new Error(`child ended by ${signal ?? `code ${code}`} after ${eaten * 8} MiB`)
}

function eatMemory() {
  const held = []
  while (held.length * 8 < limits.memoryMiB) {
    held.push(Buffer.alloc(8 * MiB, 1))
    writeSync(1, '.')
  }
}

/** The names, as what was reached; none at all is as good as denied. */
function someOf(names) {
  if (names.length === 0) throw new Error('nothing there')
  return names.slice(0, 5).join(' ')
}

function inTime(promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), limits.waitMs)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
