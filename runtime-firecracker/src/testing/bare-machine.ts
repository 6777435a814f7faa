import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, readFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { GuestArguments } from '../guest/guest-arguments.ts'
import { guestArguments } from '../guest/guest-arguments.ts'
import { readTscKhz } from '../qemu/find-qemu.ts'
import { makeQmpClient, type QmpClient } from '../qemu/qmp-client.ts'

export const qemuPath = '/usr/bin/qemu-system-x86_64'

/** Whether there is a QEMU; `AEGIS_REQUIRE=qemu` makes its absence a failure. */
export async function hasQemu(): Promise<boolean> {
  const there = await access(qemuPath).then(
    () => true,
    () => false,
  )
  if (!there && (process.env.AEGIS_REQUIRE ?? '').split(',').includes('qemu'))
    throw new Error(`${qemuPath} is missing`)
  return there
}

export interface BareMachinePlan {
  /** For its sockets and its console; made by the caller. */
  readonly directory: string
  readonly kernel: { readonly path: string; readonly arguments: readonly string[] }
  readonly disks: readonly [guest: string, image: string, scratch: string]
  readonly guest?: Partial<GuestArguments>
  /** A state that `saveTo` wrote. */
  readonly from?: string
}

/** A machine in QEMU with nothing around it: what is tested is the guest. */
export interface BareMachine extends AsyncDisposable {
  readonly wire: Socket
  /** Resolves when QEMU has ended, with its exit code. */
  readonly exited: Promise<number | null>
  /** What the kernel and the guest said on the console so far. */
  words(): Promise<string>
  /** Stops the machine and writes its state to a file. */
  saveTo(path: string): Promise<void>
}

export async function startBareMachine(plan: BareMachinePlan): Promise<BareMachine> {
  const qmp = await listen(join(plan.directory, 'qmp'))
  const port = await listen(join(plan.directory, 'port'))
  const console = join(plan.directory, 'console')
  const child = spawn(qemuPath, await argumentsOf(plan, console), { stdio: 'ignore' })
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  const gone = exited.then((code) => {
    throw new Error(`QEMU ended with ${code}`)
  })
  gone.catch(() => {})
  const [wire, monitor] = await Promise.race([Promise.all([port.peer, qmp.peer]), gone])
  wire.on('error', () => {})
  const client = makeQmpClient(monitor, 20_000)
  await client.ready
  if (plan.from !== undefined) {
    await client.run('migrate-incoming', { uri: `exec:cat '${plan.from}'` })
    await until(client, 'query-status', 'status', 'paused')
    await client.run('cont')
  }
  return {
    wire,
    exited,
    words: () => readFile(console, 'latin1'),
    async saveTo(path) {
      await client.run('stop')
      await client.run('migrate', { uri: `exec:cat > '${path}'` })
      await until(client, 'query-migrate', 'status', 'completed')
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
      wire.destroy()
      client[Symbol.dispose]()
    },
  }
}

/** QEMU tells of these two only when asked, since it was not asked to tell. */
async function until(qmp: QmpClient, command: string, field: string, wanted: string) {
  for (;;) {
    const answer = await qmp.run(command)
    const state: unknown = Reflect.get(Object(answer), field)
    if (state === wanted) return
    if (state === 'failed') throw new Error(`${command}: ${JSON.stringify(answer)}`)
  }
}

async function listen(path: string): Promise<{ readonly peer: Promise<Socket> }> {
  const server = createServer().listen(path)
  await once(server, 'listening')
  const peer = once(server, 'connection').then(([socket]) => {
    server.close()
    return socket as Socket
  })
  return { peer }
}

async function argumentsOf(plan: BareMachinePlan, console: string): Promise<string[]> {
  const guest: GuestArguments = {
    wire: { kind: 'port', name: 'aegis.wire' },
    memoryBytes: 48 << 20,
    pids: 32,
    readOnly: false,
    ...plan.guest,
  }
  const words = [
    ...['quiet', 'panic=-1', 'reboot=t', 'console=hvc0', 'no_timer_check', 'mitigations=off'],
    ...[`tsc_early_khz=${(await readTscKhz()) ?? 2_000_000}`, 'random.trust_cpu=on'],
    ...plan.kernel.arguments,
    ...guestArguments(guest),
  ]
  const disk = (path: string, index: number): string[] => [
    ...[
      '-drive',
      `id=d${index},file=${path},format=raw,if=none,readonly=${index < 2 ? 'on' : 'off'}`,
    ],
    ...['-device', `virtio-blk-device,drive=d${index}`],
  ]
  return [
    ...['-M', 'microvm,acpi=off,pit=on,pic=on,rtc=on', '-accel', 'tcg', '-cpu', 'max,-cx16'],
    ...['-m', '144', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', plan.kernel.path, '-append', words.join(' ')],
    ...plan.disks.flatMap(disk),
    ...['-device', 'virtio-serial-device,max_ports=2'],
    ...['-chardev', `file,id=console,path=${console}`, '-device', 'virtconsole,chardev=console'],
    ...['-chardev', `socket,id=host,path=${join(plan.directory, 'port')}`],
    ...['-device', 'virtserialport,chardev=host,name=aegis.wire'],
    ...['-chardev', `socket,id=qmp,path=${join(plan.directory, 'qmp')}`],
    ...['-mon', 'chardev=qmp,mode=control'],
    ...(plan.from === undefined ? [] : ['-incoming', 'defer']),
  ]
}
