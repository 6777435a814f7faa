import { accessSync, constants, existsSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger, NodeConfig, SandboxRuntime } from '@aegis/core'
import { locateLauncher, openProcessRuntime } from '@aegis/runtime-process'
import { locateGuest } from '@aegis/sandbox'
import type { Home } from './home.ts'

/** Opens the process runtime with what the config says and this installation brings. */
export async function openRuntime(
  home: Home,
  config: NodeConfig,
  env: NodeJS.ProcessEnv,
  logger: Logger,
): Promise<SandboxRuntime> {
  const {
    uid_range: uidRange,
    cgroup_parent: cgroupParent,
    allow_weaker: weaker,
  } = config.spec.runtime
  const [guestPath, launcherPath] = await Promise.all([
    locateGuest(nativeProgram('guest', home)),
    locateLauncher(nativeProgram('launch', home)),
  ])
  return openProcessRuntime({
    stateDirectory: home.processRuntime,
    guestPath,
    launcherPath,
    nodePath: process.execPath,
    uidRange,
    cgroupParent,
    allowWeaker: weaker.includes('cgroup') ? ['cgroup'] : [],
    protectedPaths: [home.directory],
    logger,
    ...(env.PATH === undefined ? {} : { searchPath: env.PATH }),
  })
}

/**
 * A published package brings the compiled programs beside its bundle; a clone compiles them into
 * its own build folder, named by their sources; whoever may not write there uses the home.
 */
function nativeProgram(
  name: 'guest' | 'launch',
  home: Home,
): { readonly buildDirectory: string; readonly prebuilt?: string } {
  const prebuilt = fileURLToPath(new URL(`./${name}-${arch()}`, import.meta.url))
  if (existsSync(prebuilt)) return { buildDirectory: home.build, prebuilt }
  const clone = fileURLToPath(new URL('../..', import.meta.url))
  return { buildDirectory: isWritable(clone) ? join(clone, 'build') : home.build }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return existsSync(join(directory, 'package.json'))
  } catch {
    return false
  }
}
