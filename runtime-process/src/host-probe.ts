import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { tryBox } from '@aegis/sandbox'

/** Whether this host lets bubblewrap make a sandbox, and what to do when it does not. */
export type HostProbe =
  | {
      readonly works: true
      readonly bwrapVersion: string
      /** Whether the launcher may make the network namespace, so that names resolve inside. */
      readonly launcherNetwork: boolean
    }
  | {
      readonly works: false
      readonly because: string
      readonly remedy: string
      /** Absent: bubblewrap itself is not there. */
      readonly bwrapVersion?: string
    }

export interface HostProbeOptions {
  readonly launcherPath: string
  readonly bwrapPath: string
  /** The unprivileged user to try as; undefined tries as ourselves. */
  readonly uid: number | undefined
}

/** Really makes an empty sandbox: the only test that kernel, distribution and container all pass. */
export async function probeHost(options: HostProbeOptions): Promise<HostProbe> {
  const version = await run(options.bwrapPath, ['--version']).catch(() => undefined)
  if (version === undefined)
    return {
      works: false,
      because: `bubblewrap is not at ${options.bwrapPath}`,
      remedy: 'apt-get install bubblewrap',
    }
  const bwrapVersion = version.stdout.trim().replace(/^bubblewrap /, '')
  const own = await trySmallest(options, true)
  if (own === undefined) return { works: true, bwrapVersion, launcherNetwork: true }
  // AppArmor may let bubblewrap alone make user namespaces; the sandbox then just has no DNS.
  const because = await trySmallest(options, false)
  if (because === undefined) return { works: true, bwrapVersion, launcherNetwork: false }
  return { works: false, because, remedy: await remedyFor(because), bwrapVersion }
}

/** Undefined when it worked, else what was said. */
async function trySmallest(
  options: HostProbeOptions,
  launcherNetwork: boolean,
): Promise<string | undefined> {
  const bwrap = ['--unshare-all', ...(launcherNetwork ? ['--share-net'] : []), ...smallest]
  const nothing = { procsFiles: [], processLimits: [], stages: [] }
  return tryBox({ ...options, ...nothing, launcherNetwork, bwrap })
}

const run = promisify(execFile)

const smallest = [
  ...['--unshare-user', '--uid', '1000', '--gid', '1000', '--clearenv'],
  ...['--die-with-parent', '--new-session', '--as-pid-1', '--cap-drop', 'ALL'],
  // Binds the whole system, since /usr alone would not do on a host where /lib is no part of it.
  ...[
    '--ro-bind',
    '/',
    '/',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--size',
    '4096',
    '--tmpfs',
    '/tmp',
  ],
  ...['--', '/bin/true'],
]

/** The usual reasons, told apart by the kernel's own switches. */
async function remedyFor(because: string): Promise<string> {
  if ((await readSwitch('kernel/apparmor_restrict_unprivileged_userns')) === '1')
    return (
      'AppArmor keeps unprivileged programs from making user namespaces. Install the profile for bubblewrap ' +
      '(apt-get install apparmor-profiles && ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ && systemctl reload apparmor), ' +
      'or: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'
    )
  if ((await readSwitch('kernel/unprivileged_userns_clone')) === '0')
    return 'sysctl -w kernel.unprivileged_userns_clone=1'
  if ((await readSwitch('user/max_user_namespaces')) === '0')
    return 'sysctl -w user.max_user_namespaces=15000'
  if (/unknown option/i.test(because)) return 'Install bubblewrap 0.8 or later'
  return 'In a container, run it with user namespaces allowed (docker: --security-opt seccomp=unconfined --security-opt systempaths=unconfined), or use another runtime'
}

async function readSwitch(name: string): Promise<string | undefined> {
  return readFile(`/proc/sys/${name}`, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )
}
