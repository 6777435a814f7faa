import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { AegisError, type NodeConfig } from '@aegis/core'
import { type EngineEndpoint, type EngineTls, parseEngineEndpoint } from '@aegis/runtime-docker'

/**
 * Where the Docker Engine listens: what the config says, else `DOCKER_HOST`, else the first socket
 * that is there, else Docker's own. TLS as Docker's command does it: `DOCKER_TLS_VERIFY`, with the
 * files of `DOCKER_CERT_PATH`.
 * @throws AegisError `invalid` · `unsupported` / `engine.endpoint`
 */
export function findEngine({ spec }: NodeConfig, env: NodeJS.ProcessEnv): EngineEndpoint {
  const named = namedEngine(spec, env)
  const tls = env.DOCKER_TLS_VERIFY ? readCertificates(certificatesOf(env)) : undefined
  const address = named ?? usualSockets(env).find((path) => existsSync(path))
  return parseEngineEndpoint(address, tls && { tls })
}

/** Whether an engine is to be expected: somebody named one, or there is a socket of one. */
export const expectsEngine = ({ spec }: NodeConfig, env: NodeJS.ProcessEnv): boolean =>
  namedEngine(spec, env) !== undefined || usualSockets(env).some((path) => existsSync(path))

const namedEngine = (spec: NodeConfig['spec'], env: NodeJS.ProcessEnv): string | undefined =>
  spec.runtime.docker_socket_path ?? (env.DOCKER_HOST || undefined)

/** Where Docker's command keeps its config: credentials of registries, certificates. */
export const dockerConfigDirectory = (env: NodeJS.ProcessEnv): string =>
  env.DOCKER_CONFIG || join(homedir(), '.docker')

const certificatesOf = (env: NodeJS.ProcessEnv): string =>
  env.DOCKER_CERT_PATH || dockerConfigDirectory(env)

/** Docker as root, Docker of this user, Docker Desktop, Podman of this user, Podman as root. */
function usualSockets(env: NodeJS.ProcessEnv): readonly string[] {
  const runtime = env.XDG_RUNTIME_DIR
  const own = (name: string) => (runtime === undefined ? [] : [join(runtime, name)])
  return [
    '/var/run/docker.sock',
    ...own('docker.sock'),
    join(homedir(), '.docker/desktop/docker.sock'),
    ...own('podman/podman.sock'),
    '/run/podman/podman.sock',
  ]
}

function readCertificates(directory: string): EngineTls {
  const read = (name: string): string => {
    const path = join(directory, name)
    try {
      return readFileSync(path, 'utf8')
    } catch (cause) {
      throw new AegisError(
        'invalid',
        'engine.certificates',
        `DOCKER_TLS_VERIFY is set, but ${path} cannot be read. Point DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem, or unset DOCKER_TLS_VERIFY.`,
        { cause },
      )
    }
  }
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') }
}
