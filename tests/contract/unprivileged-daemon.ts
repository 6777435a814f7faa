import { readdir } from 'node:fs/promises'
import { AegisError, type Sandbox } from '@aegis/core'
import { openProcessRuntime, type ProcessRuntimeOptions, sandboxPath } from '@aegis/runtime-process'
import { collect, run, type SpecOverrides, specWith } from './sandbox-driver.ts'

/** Tries a handful of promises as whoever it is started as, and prints how they held. */
const never = new AbortController().signal
const options: ProcessRuntimeOptions = JSON.parse(process.argv[2] ?? '{}')
const enforced = options.cgroupParent !== undefined
const runtime = await openProcessRuntime(options)

const inBox = async <T>(overrides: SpecOverrides, use: (sandbox: Sandbox) => Promise<T>) => {
  await using sandbox = await runtime.boot(specWith(overrides), never)
  return await use(sandbox)
}
const sh = (script: string, overrides: SpecOverrides = {}) =>
  inBox(overrides, (sandbox) => run(sandbox, ['/bin/sh', '-c', script], { PATH: sandboxPath }))
const node = (script: string, overrides: SpecOverrides) =>
  inBox(overrides, (sandbox) => run(sandbox, ['node', '-e', script], { PATH: sandboxPath }))

async function tryAll() {
  const MiB = 1 << 20
  const limits = { memoryBytes: 128 * MiB, diskBytes: 16 * MiB, pids: 24 }
  const fill = await sh('head -c 64000000 /dev/zero > fill', { limits })
  const outcomes = {
    echo: (await sh('echo hello')).stdout.toString(),
    user: (await sh('id -u')).stdout.toString(),
    secret: (await sh('cat /etc/shadow /tmp/2/state/etc/passwd; ls /root /home')).stdout.toString(),
    disk: fill.exit.cause,
    readOnly: await inBox({ filesystem: { readOnly: true } }, async (sandbox) => {
      const file = { path: '/workspace/a', content: Buffer.from('kept') }
      await sandbox.writeFiles([file], never)
      const script = 'cat a; echo b > a'
      return (await run(sandbox, ['/bin/sh', '-c', script], { PATH: '/bin' })).stdout.toString()
    }),
  }
  if (!enforced) return outcomes
  const denied = Promise.withResolvers<string>()
  const captured = Promise.withResolvers<string>()
  const called = Promise.withResolvers<string>()
  const network = { names: ['a.example'], suffixes: [], ports: [80, 443], proxy: false }
  const bomb = 'const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1))'
  return {
    ...outcomes,
    memory: (await node(bomb, { limits })).exit.cause,
    processes: (await sh('for i in $(seq 100); do sleep 9 & done', { limits })).exit.cause,
    denied: await inBox(
      { onNotice: (notice) => denied.resolve(JSON.stringify(notice)) },
      async (sandbox) => {
        await run(sandbox, ['getent', 'hosts', 'denied.example'], { PATH: sandboxPath })
        return denied.promise
      },
    ),
    captured: await inBox(
      { onNotice: (notice) => captured.resolve(JSON.stringify(notice)) },
      async (sandbox) => {
        const script = `require('node:net').connect(853, '8.8.8.8').on('error', () => {})`
        await run(sandbox, ['node', '-e', script], { PATH: sandboxPath })
        return captured.promise
      },
    ),
    called: await inBox(
      {
        network,
        onConnect: (target, stream) => {
          called.resolve(JSON.stringify(target))
          stream.destroy()
        },
      },
      async (sandbox) => {
        const script = `require('node:net').connect(80, 'a.example').on('error', () => {})`
        await run(sandbox, ['node', '-e', script], { PATH: sandboxPath })
        return called.promise
      },
    ),
    terminal: await inBox({}, async (sandbox) => {
      const terminal = { rows: 24, columns: 80 }
      const command = {
        argv: ['tty', '-s'] as [string, ...string[]],
        env: { PATH: '/bin' },
        cwd: '/',
      }
      const { exit } = await collect(await sandbox.exec({ ...command, terminal }, never))
      return exit.code === 0 ? 'tty' : 'none'
    }),
  }
}

const report: Record<string, unknown> = {
  uid: process.getuid?.(),
  limits: (await runtime.capabilities(never)).limits,
  findings: await runtime.diagnose(never),
}
try {
  const outcomes = await tryAll()
  await runtime[Symbol.asyncDispose]()
  const left = (await readdir(`${options.stateDirectory}/workspaces`)) as readonly string[]
  report.outcomes = { ...outcomes, left }
} catch (error) {
  if (!(error instanceof AegisError)) throw error
  report.refused = { code: error.code, message: error.message }
}
process.stdout.write(JSON.stringify(report))
