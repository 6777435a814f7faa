import { execFile } from 'node:child_process'
import { access, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { AegisError } from '@aegis/core'
import { discoverConfig } from '@aegis/daemon'
import type { CommandContext, CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { renderUnit } from './systemd-unit.ts'

const unitName = 'aegis.service'
const unitPath = `/etc/systemd/system/${unitName}`

export const installService: CommandHandler<{
  readonly binaryPath?: string
  readonly user?: string
  readonly dryRun?: boolean
}> = async (context, _, { binaryPath, user, dryRun }) => {
  const { terminal } = context
  if (!dryRun) await requireSystemd()
  const unit = await unitFor(context, binaryPath, user)
  if (dryRun) {
    terminal.write(unit)
    return exitCodes.success
  }
  await writeFile(unitPath, unit, { mode: 0o644 })
  await systemctl('daemon-reload')
  await systemctl('enable', '--now', unitName)
  if (terminal.json) terminal.document({ installed: true, unit: unitPath })
  else {
    terminal.line(`Installed and started ${unitPath}`)
    terminal.line(terminal.style.dim('See how it does: systemctl status aegis'))
  }
  return exitCodes.success
}

export const uninstallService: CommandHandler<object> = async ({ terminal }) => {
  await requireSystemd()
  const isInstalled = await exists(unitPath)
  if (isInstalled) {
    await systemctl('disable', '--now', unitName)
    await rm(unitPath, { force: true })
    await systemctl('daemon-reload')
  }
  if (terminal.json) terminal.document({ installed: false, removed: isInstalled })
  else
    terminal.line(isInstalled ? `Stopped and removed ${unitPath}` : 'The service is not installed')
  return exitCodes.success
}

async function unitFor(
  { settings, self, env, cwd }: CommandContext,
  binaryPath: string | undefined,
  user: string | undefined,
): Promise<string> {
  const ownHome = user === undefined ? settings.home : join(await homeOf(user), '.aegis')
  const home = settings.isHomeExplicit ? settings.home : ownHome
  const { source } = await discoverConfig({ explicit: settings.configPath, env, cwd, home })
  if (binaryPath !== undefined && !(await exists(resolve(cwd, binaryPath)))) {
    throw new AegisError('invalid', 'service.binary', `--binary-path: there is no ${binaryPath}`)
  }
  return renderUnit({
    argv: [
      ...(binaryPath === undefined ? self : ([resolve(cwd, binaryPath)] as const)),
      '--daemon',
      ...['--home', home],
      ...(source === 'built-in' ? [] : ['--config', source]),
      ...(settings.host === undefined ? [] : ['--host', settings.host]),
      ...(settings.port === undefined ? [] : ['--port', String(settings.port)]),
      ...(settings.logLevel === undefined ? [] : ['--log-level', settings.logLevel]),
    ],
    home,
    user,
  })
}

/** @throws AegisError `unsupported` no systemd here · `denied` not root */
async function requireSystemd(): Promise<void> {
  if (!(await exists('/run/systemd/system'))) {
    throw new AegisError('unsupported', 'service.systemd', 'systemd does not run this machine', {
      details: {
        help: 'start it with aegis daemon start, or put aegis --daemon into your own init',
      },
    })
  }
  if (process.getuid?.() !== 0) {
    throw new AegisError(
      'denied',
      'service.root',
      'Only root may change the services of a machine',
      {
        details: { help: 'run it again with sudo' },
      },
    )
  }
}

async function homeOf(user: string): Promise<string> {
  const accounts = await readFile('/etc/passwd', 'utf8')
  const fields = accounts.split('\n').map((line) => line.split(':'))
  const home = fields.find(([name]) => name === user)?.[5]
  if (home !== undefined) return home
  throw new AegisError('invalid', 'service.user', `There is no account named "${user}"`, {
    details: { help: `make one: useradd --system --create-home ${user}` },
  })
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

async function systemctl(...args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)('systemctl', args)
  } catch (cause) {
    const why = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw new AegisError(
      'unavailable',
      'service.systemctl',
      `systemctl ${args.join(' ')} failed: ${why}`,
      { cause, details: { help: `see journalctl -u ${unitName}` } },
    )
  }
}
