import type { Engine } from './test-engine.ts'

/**
 * Runs a command in a container without network and gives what it wrote, both streams as one. The
 * container is removed.
 * @throws Error when the command fails, with what it wrote
 */
export async function runContainer(
  engine: Engine,
  image: string,
  command: readonly string[],
  hostConfig: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const created = await engine.call('POST', '/containers/create', {
    // With a terminal, the log is text and has no frames.
    body: {
      Image: image,
      Cmd: command,
      Tty: true,
      HostConfig: { NetworkMode: 'none', ...hostConfig },
    },
  })
  const container = `/containers/${JSON.parse(created).Id}`
  try {
    await engine.call('POST', `${container}/start`)
    const { StatusCode: code } = JSON.parse(await engine.call('POST', `${container}/wait`))
    const query = { stdout: '1', stderr: '1' }
    const output = (await engine.call('GET', `${container}/logs`, { query })).replaceAll(
      '\r\n',
      '\n',
    )
    if (code === 0) return output
    throw new Error(`${command.join(' ')} in ${image}: exit code ${code}\n${output}`)
  } finally {
    await engine.call('DELETE', container, { query: { force: '1', v: '1' } })
  }
}
