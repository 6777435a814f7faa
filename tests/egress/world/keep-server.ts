import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export interface KeptServer extends AsyncDisposable {
  readonly process: ChildProcess
}

/**
 * Runs a server that lives no longer than this process: a shell ends it and removes its directory
 * when the pipe to this process closes, by whatever. Resolves once it takes connections.
 */
export async function keepServer(options: {
  readonly command: readonly string[]
  readonly directory: string
  readonly host: string
  readonly port: number
}): Promise<KeptServer> {
  const { command, directory, host, port } = options
  const script = `
    directory=$1; shift
    "$@" < /dev/null > "$directory/log" 2>&1 &
    read -r nothing
    kill -TERM $!; kill -QUIT $!; wait $!
    rm -rf "$directory"`
  const child = spawn('/bin/sh', ['-c', script, 'sh', directory, ...command], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: process.env.PATH ?? '' },
  })
  const close = async () => {
    const ended = once(child, 'exit')
    child.stdin.end()
    await ended
  }
  try {
    await answers(host, port)
  } catch (error) {
    await close()
    throw error
  }
  return { process: child, [Symbol.asyncDispose]: close }
}

/** A server says nowhere that it is ready, so that it is asked, for at most 20 seconds. */
async function answers(host: string, port: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    const socket = connect({ host, port })
    try {
      await once(socket, 'connect')
      return
    } catch (error) {
      if (tries === 400) throw error
      await delay(50)
    } finally {
      socket.destroy()
    }
  }
}
