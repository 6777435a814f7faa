import { Secret } from '@aegis/core'
import { askCredentialHelper, type HelperHost } from './credential-helper.ts'
import { type DockerConfig, type RegistryAuth, readDockerConfig } from './docker-config.ts'
import { hubRegistry } from './image-name.ts'

export interface CredentialsOptions extends HelperHost {
  /** Where Docker keeps `config.json`: `DOCKER_CONFIG`, else `~/.docker`. It need not exist. */
  readonly directory: string
}

/** What this host may show to registries, as `docker login` left it. */
export interface RegistryCredentials {
  /**
   * Value of `X-Registry-Auth` for a registry; undefined where the host has nothing for it. Read
   * anew each time, so that a login counts at once.
   * @throws AegisError `invalid` / `image.credentials` the config or its helper is broken
   */
  headerFor(registry: string, signal: AbortSignal): Promise<Secret | undefined>
  /** The same, for a client that asks the registry itself. */
  find(registry: string, signal: AbortSignal): Promise<RegistryAuth | undefined>
}

/** Reads what Docker's own command line would use. Nothing is kept, and nothing is logged. */
export function openRegistryCredentials(options: CredentialsOptions): RegistryCredentials {
  const find: RegistryCredentials['find'] = async (registry, signal) => {
    const config = await readDockerConfig(options.directory)
    const helper = config.helperOf(keysOf(registry))
    return helper === undefined
      ? entryFor(config, registry)
      : askCredentialHelper(options, helper, serverOf(registry), signal)
  }
  return {
    find,
    async headerFor(registry, signal) {
      const found = await find(registry, signal)
      if (found === undefined) return undefined
      return new Secret(encoded({ ...found, serveraddress: serverOf(registry) }))
    },
  }
}

const serverOf = (registry: string): string => (registry === hubRegistry ? hubServer : registry)

/** By this name Docker has kept the credentials of its Hub since version 1 of its protocol. */
const hubServer = 'https://index.docker.io/v1/'

const keysOf = (registry: string): readonly string[] =>
  registry === hubRegistry ? [hubServer, 'index.docker.io', registry] : [registry]

/** As Docker looks it up: by the exact key, else by the host of a key that is an address. */
function entryFor(config: DockerConfig, registry: string) {
  const keys = keysOf(registry)
  const exact = keys.find((key) => config.servers.includes(key))
  const key = exact ?? config.servers.find((server) => keys.includes(hostOf(server)))
  return key === undefined ? undefined : config.entry(key)
}

const hostOf = (server: string): string => server.replace(/^https?:\/\//, '').replace(/\/.*$/s, '')

/** Engines decode the alphabet for addresses, and the older ones want the padding. */
const encoded = (fields: object): string =>
  Buffer.from(JSON.stringify(fields)).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
