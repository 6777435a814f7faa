import type { Engine } from '../engine/test-engine.ts'
import { type AegisCommand, openNodeCommand } from './aegis-command.ts'

/** In the place of Docker Hub's. */
export const testImages = { javascript: 'node:18', python: 'python:3.11' }

/** The part of a config that says where containers come from. */
export const engineConfig = ({ socketPath }: Pick<Engine, 'socketPath'>) => ({
  docker_socket_path: socketPath,
  images: testImages,
})

/**
 * The command with a config that names this engine, and in the place of Docker Hub's the images that
 * tests have. `runtime` goes into `spec.runtime` of the config.
 */
export async function openDockerCommand(
  engine: Pick<Engine, 'socketPath'>,
  runtime: object = {},
): Promise<AegisCommand> {
  const aegis = await openNodeCommand()
  const config = {
    node: { id: 'docker-test', type: 'edge' },
    runtime: { ...engineConfig(engine), ...runtime },
  }
  await aegis.write('aegis-config.yaml', JSON.stringify(config))
  return aegis
}

export interface CommandAgent {
  readonly name: string
  readonly command: readonly string[]
  /** What `spec.runtime` says besides the language. */
  readonly runtime?: object
}

/** An agent that runs a command of its image. Gives the path of its manifest. */
export function writeCommandAgent(
  aegis: Pick<AegisCommand, 'write'>,
  { name, command, runtime }: CommandAgent,
): Promise<string> {
  const manifest = {
    apiVersion: '100monkeys.ai/v1',
    kind: 'AgentManifest',
    metadata: { name, version: '1.0.0' },
    spec: {
      runtime: { language: 'javascript', version: '24', isolation: 'docker', ...runtime },
      task: { command },
      execution: { mode: 'one-shot', max_retries: 1 },
      security: { resources: { cpu: 250, memory: '128Mi', disk: '16Mi', timeout: '60s' } },
    },
  }
  return aegis.write(`${name}.yaml`, JSON.stringify(manifest))
}
