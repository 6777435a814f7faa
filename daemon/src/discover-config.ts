import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { AegisError, defaultNodeConfig, type NodeConfig, parseNodeConfig } from '@aegis/core'
import { homeIdOf } from './home-id.ts'

export interface DiscoveredConfig {
  readonly config: NodeConfig
  /** The file it came from, or `built-in`. */
  readonly source: string
  /** Where it was looked for, in order. */
  readonly searched: readonly string[]
}

interface Options {
  /** From `--config`; must exist. */
  readonly explicit?: string | undefined
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly home: string
}

/**
 * Finds and parses the node's configuration: `--config`, `AEGIS_CONFIG_PATH`, the working
 * directory, AEGIS_HOME, /etc, and else the built-in default.
 * @throws AegisError `not-found` / `config.absent` · `invalid` / `config.invalid`
 */
export async function discoverConfig(options: Options): Promise<DiscoveredConfig> {
  const { explicit, env, cwd, home } = options
  const named = explicit ?? env.AEGIS_CONFIG_PATH
  const searched = named ? [resolve(cwd, named)] : wellKnownPlaces(cwd, home)
  for (const path of searched) {
    const text = await readIfPresent(path)
    if (text !== undefined) {
      const config = withAbsolutePaths(parseNodeConfig(text, { file: path }), dirname(path))
      return { config, source: path, searched }
    }
  }
  if (named) {
    throw new AegisError(
      'invalid',
      'config.absent',
      `There is no config file ${searched[0]}. Make one: aegis config generate -o ${named}`,
    )
  }
  const config = defaultNodeConfig({ hostName: hostname(), nodeId: await homeIdOf(home) })
  return { config, source: 'built-in', searched }
}

/**
 * The files that a config names lie relative to it: a daemon in the background has another working
 * directory than the command that started it.
 */
function withAbsolutePaths(config: NodeConfig, folder: string): NodeConfig {
  const { llm_providers: providers, runtime, network, security, observability } = config.spec
  const { policies, access, supply } = security
  const { oidc } = access
  const { bootstrap_script: script } = runtime
  const { tls } = network
  const { file, ...logging } = observability.logging
  return {
    ...config,
    spec: {
      ...config.spec,
      llm_providers: providers.map((provider) => ({
        ...provider,
        ...(provider.rules !== undefined && { rules: resolve(folder, provider.rules) }),
      })),
      runtime: {
        ...runtime,
        ...(script !== undefined && { bootstrap_script: resolve(folder, script) }),
      },
      network: {
        ...network,
        ...(tls !== undefined && {
          tls: {
            cert_path: resolve(folder, tls.cert_path),
            key_path: resolve(folder, tls.key_path),
            ...(tls.ca_path !== undefined && { ca_path: resolve(folder, tls.ca_path) }),
          },
        }),
      },
      security: {
        ...security,
        ...(policies !== undefined && { policies: resolve(folder, policies) }),
        access: {
          ...access,
          ...(oidc?.jwks_path !== undefined && {
            oidc: { ...oidc, jwks_path: resolve(folder, oidc.jwks_path) },
          }),
        },
        supply: { ...supply, image_keys: supply.image_keys.map((key) => resolve(folder, key)) },
      },
      observability: {
        ...observability,
        logging: { ...logging, ...(file !== undefined && { file: resolve(folder, file) }) },
      },
    },
  }
}

const wellKnownPlaces = (cwd: string, home: string): readonly string[] => [
  join(cwd, 'aegis-config.yaml'),
  join(home, 'config.yaml'),
  join(home, 'aegis-config.yaml'),
  '/etc/aegis/config.yaml',
  '/etc/aegis/aegis-config.yaml',
]

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `The config file ${path} cannot be read: ${reason}`
    throw new AegisError('invalid', 'config.unreadable', message, { cause })
  }
}
