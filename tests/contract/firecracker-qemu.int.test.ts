import { execFile } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { whyNotNow } from '../engine/requirements.ts'
import { never } from './hosts/host-scene.ts'
import { openMachineHost, qemuHostKind } from './hosts/machine-host.ts'
import { groupsOf } from './hosts/process-host.ts'
import type { SandboxHost } from './hosts/sandbox-host.ts'
import { describeSandboxContract, describeShortContract } from './sandbox-contract.ts'

const later = whyNotNow()
if (later === undefined) describeSandboxContract(qemuHostKind)
else describeShortContract(qemuHostKind, later)

const why = qemuHostKind.whyNot()

describe.skipIf(why)(`firecracker/qemu: besides the contract${why ? ` (${why})` : ''}`, () => {
  let host: SandboxHost
  beforeAll(async () => {
    host = await openMachineHost()
  }, 180_000)
  afterAll(() => host?.[Symbol.asyncDispose]())

  it('tells of a machine whose QEMU was killed, and leaves nothing of it', async () => {
    const sandbox = await host.boot()
    expect(sandbox.monitor).toMatch(/^QEMU \d+\.\d+\.\d+, software emulation$/)
    const { residentBytes } = await sandbox.stats(never)
    expect(residentBytes).toBeGreaterThan(64 << 20)
    const running = await sandbox.exec(
      { argv: ['sleep', '1000'], env: { PATH: qemuHostKind.path }, cwd: '/' },
      never,
    )
    for (const pid of await qemuPids(host)) process.kill(pid, 'SIGKILL')
    expect(await sandbox.ended).toBe('sandbox_lost')
    expect(await running.exit).toMatchObject({ cause: 'sandbox_lost' })
    await host.tidy()
  })

  it('runs QEMU as a user of its own, without rights, and without a way to gain any', async () => {
    await host.boot()
    const pids = await qemuPids(host)
    expect(pids.length).toBeGreaterThan(0)
    for (const pid of pids) {
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      expect(status).toMatch(/^CapEff:\s+0+$/m)
      expect(status).toMatch(/^CapBnd:\s+0+$/m)
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
      expect(status).toMatch(/^Seccomp:\s+2$/m)
      if (process.getuid?.() === 0) expect(status).toMatch(/^Uid:\s+19\d{8}\s/m)
    }
    await host.tidy()
  })

  it('shows its host no argument, variable, input or file of what runs inside', async () => {
    const sandbox = await host.boot()
    const mark = `dear-diary-${process.pid}`
    await sandbox.writeFiles([{ path: `/workspace/${mark}`, content: Buffer.from(mark) }], never)
    const running = await sandbox.exec(
      {
        argv: ['sh', '-c', 'cat > /tmp/prompt; exec sleep 1000', mark],
        env: { PATH: qemuHostKind.path, SECRET: mark },
        cwd: '/',
      },
      never,
    )
    await running.writeStdin(Buffer.from(mark))
    running.closeStdin()
    const pids = await monitorPids(host)
    expect(pids.length).toBeGreaterThan(1)
    for (const pid of pids) {
      const of = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8')
      expect(await of('cmdline')).not.toContain(mark)
      // QEMU has no variable at all but what bubblewrap sets for each.
      expect(await of('environ')).not.toMatch(/dear-diary|SECRET|AEGIS|HOME/)
      const files = await readdir(`/proc/${pid}/fd`)
      const open = await Promise.all(files.map((fd) => readlink(`/proc/${pid}/fd/${fd}`)))
      expect(open.filter((path) => !harmless.test(path))).toEqual([])
    }
    expect((await promisify(execFile)('ps', ['-eo', 'args='])).stdout).not.toContain(mark)
    await host.tidy()
  })
})

/** Open files of a monitor: its sockets, and the disks of its machine. */
const harmless =
  /^(\/dev\/(null|zero)|socket:.*|pipe:.*|anon_inode:.*|\/m\/(guest|image|scratch|kernel))$/

/** Of QEMU and of the box around it. */
async function monitorPids({ choice }: SandboxHost): Promise<readonly number[]> {
  if (choice?.runtime !== 'firecracker') return []
  const [group] = await groupsOf(choice.monitor.stateDirectory)
  if (group === undefined) return []
  return (await readFile(join(group, 'cgroup.procs'), 'utf8')).trim().split('\n').map(Number)
}

/** Of QEMU itself. */
async function qemuPids(host: SandboxHost): Promise<readonly number[]> {
  const pids = await monitorPids(host)
  const names = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8')))
  return pids.filter((_, index) => names[index]?.startsWith('qemu-system'))
}
