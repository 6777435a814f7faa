/**
 * A program that plays Firecracker or its jailer, for tests: `fake-vmm.ts PLAN firecracker|jailer
 * ARGUMENTS`. Started by the scripts that `makeFakeVmm` writes.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as net from 'node:net'
import { FakeFirecracker, type FakeMachine, type FakeMachinery } from './fake-firecracker.ts'
import { runFakeJailer } from './fake-jailer.ts'
import type { FakeVmmPlan } from './fake-vmm-plan.ts'
import { serveFake } from './serve-fake.ts'

const [, , encoded = '', role, ...rest] = process.argv
const plan: FakeVmmPlan = JSON.parse(Buffer.from(encoded, 'base64').toString())
if (role === 'jailer') runFakeJailer(plan, rest)
else runFakeFirecracker(rest)

function runFakeFirecracker(argv: readonly string[]): void {
  const argument = (name: string) => argv[argv.indexOf(name) + 1] ?? ''
  // Relative, since nobody but root may pass through what is above the jail.
  const inJail = (path: string) => `.${path}`
  const machinery = makeMachinery(inJail)
  const double = new FakeFirecracker(argument('--id'), plan.version, machinery)
  const server = serveFake(double, plan)
  if (plan.silent !== true) server.listen(inJail(argument('--api-sock')))
  else setInterval(() => {}, 1 << 30)
}

function makeMachinery(inJail: (path: string) => string): FakeMachinery {
  let uds = ''
  let wire: net.Socket | undefined
  let guest: ChildProcess | undefined
  const ended = () => process.exit(0)

  /** The guest connects to CID 2, which is whoever listens beside the socket. */
  const dial = () => {
    if (plan.guest === 'none') return
    wire = net.connect(`${uds}_1024`)
    wire.once('error', ended)
    if (plan.guest === undefined) {
      wire.pipe(wire)
      wire.once('close', () => wire && ended())
    } else {
      const [program = '', ...argv] = plan.guest
      wire.once('connect', () => {
        guest = spawn(program, argv, { stdio: [wire, wire, 'inherit'], cwd: '/' })
        guest.once('exit', () => wire && ended())
        wire?.pause()
      })
    }
  }
  const cut = () => {
    const old = wire
    wire = undefined
    guest?.kill('SIGKILL')
    old?.destroy()
  }
  return {
    exists(path) {
      try {
        fs.accessSync(inJail(path), fs.constants.R_OK)
        return true
      } catch {
        return false
      }
    },
    listen(path) {
      uds = inJail(path)
      // Nobody in the guest listens on any port.
      net.createServer((socket) => socket.once('data', () => socket.destroy())).listen(uds)
    },
    boot: dial,
    pause: () => void guest?.kill('SIGSTOP'),
    resume() {
      if (wire === undefined) dial()
      guest?.kill('SIGCONT')
    },
    write(snapshot, machine) {
      fs.writeFileSync(inJail(snapshot.snapshot_path), JSON.stringify(machine))
      const bytes = (machine.config?.mem_size_mib ?? 128) << 20
      fs.truncateSync(inJail(snapshot.mem_file_path), bytes)
    },
    load(snapshot) {
      const text = fs.readFileSync(inJail(snapshot.snapshot_path), 'utf8')
      fs.accessSync(inJail(snapshot.mem_backend.backend_path), fs.constants.R_OK)
      const machine: FakeMachine = JSON.parse(text)
      for (const { path_on_host: path = '', is_read_only: readOnly } of machine.drives)
        fs.accessSync(inJail(path), readOnly ? fs.constants.R_OK : fs.constants.W_OK)
      this.listen(snapshot.vsock_override?.uds_path ?? machine.vsock?.uds_path ?? '')
      return machine
    },
    flushMetrics: () => {},
    cutVsock: cut,
  }
}
