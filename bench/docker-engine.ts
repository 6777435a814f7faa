import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { programPath } from '@aegis/tests/engine/requirements.ts'
import type { Engine } from '@aegis/tests/engine/test-engine.ts'

/** The part of `spec.runtime` that says where containers come from, with the images of the tests. */
export const engineRuntime = ({ host }: Engine): object => ({
  docker_socket_path: host,
  images: { javascript: 'node:18', python: 'python:3.11' },
})

/** `docker run --rm --network none IMAGE COMMAND`, from the start of the command to its end. */
export async function dockerRun(
  { host }: Engine,
  image: string,
  argv: readonly string[],
): Promise<void> {
  const child = spawn(
    programPath('docker') ?? 'docker',
    ['run', '--rm', '--network', 'none', image, ...argv],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DOCKER_HOST: host } },
  )
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`docker run ${argv.join(' ')}: exit code ${code}`)
}
