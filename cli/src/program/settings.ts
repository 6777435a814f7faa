import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { InvalidArgumentError } from 'commander'
import type { Environment } from './command-context.ts'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

/** The flags that every command takes, as commander reads them. */
export interface GlobalOptions {
  readonly daemon?: boolean
  readonly config?: string
  readonly home?: string
  readonly host?: string
  readonly port?: number
  readonly token?: string
  readonly logLevel?: LogLevel
  readonly json?: boolean
  readonly color?: boolean
}

/** The same after the environment was asked. What is absent is left to the node's configuration. */
export interface Settings {
  /** AEGIS_HOME, absolute. */
  readonly home: string
  readonly isHomeExplicit: boolean
  readonly configPath: string | undefined
  readonly host: string | undefined
  readonly port: number | undefined
  /** Instead of the one in AEGIS_HOME. */
  readonly token: string | undefined
  /** Host or port were given as flags, or the host as a URL: a daemon must be there. */
  readonly isTargetExplicit: boolean
  readonly logLevel: LogLevel | undefined
}

/**
 * Flags come first, then the environment: AEGIS_HOME, AEGIS_HOST, AEGIS_PORT, AEGIS_TOKEN,
 * AEGIS_LOG_LEVEL and, for habit's sake, RUST_LOG. AEGIS_CONFIG_PATH is left to the discovery of the configuration.
 * @throws InvalidArgumentError an environment variable that says nothing useful
 */
export function resolveSettings(options: GlobalOptions, env: Environment, cwd: string): Settings {
  return {
    home: resolve(cwd, options.home ?? (env.AEGIS_HOME || resolve(homedir(), '.aegis'))),
    isHomeExplicit: options.home !== undefined || Boolean(env.AEGIS_HOME),
    configPath: options.config === undefined ? undefined : resolve(cwd, options.config),
    host: options.host ?? (env.AEGIS_HOST || undefined),
    port: options.port ?? fromEnvironment(env, 'AEGIS_PORT', parsePort),
    token: options.token ?? (env.AEGIS_TOKEN || undefined),
    isTargetExplicit:
      options.host !== undefined || options.port !== undefined || isUrl(env.AEGIS_HOST ?? ''),
    logLevel:
      options.logLevel ??
      fromEnvironment(env, 'AEGIS_LOG_LEVEL', parseLogLevel) ??
      rustLogLevel(env.RUST_LOG),
  }
}

/** Whether a host is given with its protocol: that of a client, not one to listen at. */
export const isUrl = (host: string): boolean => /^https?:\/\//i.test(host)

/** At these levels logs show every detail, bootstrap lines included. */
export const isDebugging = ({ logLevel }: Settings): boolean =>
  logLevel === 'debug' || logLevel === 'trace'

/** @throws InvalidArgumentError */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw new InvalidArgumentError('A port is a number from 0 to 65535.')
  return port
}

/** @throws InvalidArgumentError */
export function parseLogLevel(text: string): LogLevel {
  const level = logLevels.find((name) => name === text.toLowerCase())
  if (level === undefined) throw new InvalidArgumentError(`Levels are ${logLevels.join(', ')}.`)
  return level
}

/** `debug`, or the plain level in `info,aegis=debug`; anything else of that language says nothing. */
function rustLogLevel(text: string | undefined): LogLevel | undefined {
  const words = (text ?? '').toLowerCase().split(',')
  return logLevels.find((level) => words.includes(level))
}

function fromEnvironment<T>(
  env: Environment,
  name: string,
  parse: (text: string) => T,
): T | undefined {
  const text = env[name]
  if (!text) return undefined
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    throw new InvalidArgumentError(`environment variable ${name} is "${text}". ${error.message}`)
  }
}
