import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { Engine } from '../engine/test-engine.ts'
import type { Ran } from './aegis-command.ts'

/** Runs one more command in a container, without input, as `docker exec` does. */
export async function runInContainer(
  engine: Engine,
  container: string,
  command: readonly string[],
): Promise<Ran> {
  const body = { Cmd: command, AttachStdout: true, AttachStderr: true }
  const created = await engine.call('POST', `/containers/${container}/exec`, { body })
  const { Id: id } = JSON.parse(created)
  const outgoing = request({
    socketPath: engine.socketPath,
    method: 'POST',
    path: `/exec/${id}/start`,
    headers: { 'content-type': 'application/json' },
  })
  outgoing.end(JSON.stringify({ Detach: false, Tty: false }))
  const incoming: IncomingMessage = (await once(outgoing, 'response'))[0]
  const { stdout, stderr } = streamsIn(await buffer(incoming))
  const { ExitCode: code } = JSON.parse(await engine.call('GET', `/exec/${id}/json`))
  return { code, stdout, stderr }
}

/** Each frame begins with the number of its stream and, after three bytes, its length. */
function streamsIn(bytes: Buffer): Pick<Ran, 'stdout' | 'stderr'> {
  const parts: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] }
  for (let at = 0; at + 8 <= bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at + 4)
    parts[bytes[at] === 2 ? 'stderr' : 'stdout'].push(bytes.subarray(at + 8, end))
    at = end
  }
  return {
    stdout: Buffer.concat(parts.stdout).toString(),
    stderr: Buffer.concat(parts.stderr).toString(),
  }
}
