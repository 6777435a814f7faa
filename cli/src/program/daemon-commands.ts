import { type Command, Option } from 'commander'
import { parseCount, parseSeconds } from './parse-option.ts'
import type { Dispatch } from './program.ts'

export function addDaemonCommands(program: Command, dispatch: Dispatch): void {
  const daemon = program.command('daemon').description('Run a node in the background')

  daemon
    .command('start')
    .description('Start the daemon and wait until it answers')
    .option('--foreground', 'Stay in the foreground until stopped')
    .action(dispatch(async () => (await import('../daemon/start-daemon.ts')).startDaemon))

  daemon
    .command('stop')
    .description('Stop the daemon; running executions go on when it starts again')
    .option('-f, --force', 'Kill it when it has not stopped in time')
    .addOption(
      new Option('-t, --timeout <seconds>', 'How long it may take to stop')
        .argParser(parseSeconds)
        .default(30),
    )
    .action(dispatch(async () => (await import('../daemon/stop-daemon.ts')).stopDaemon))

  daemon
    .command('status')
    .description('Say whether the daemon runs, since when, and how busy it is')
    .action(dispatch(async () => (await import('../daemon/daemon-status.ts')).daemonStatus))

  daemon
    .command('logs')
    .description("Show the daemon's own log")
    .addOption(
      new Option('-n, --lines <number>', 'How many of the last lines')
        .argParser(parseCount)
        .default(50),
    )
    .action(dispatch(async () => (await import('../daemon/daemon-logs.ts')).daemonLogs))

  daemon
    .command('install')
    .description('Install and start the daemon as a systemd service (needs root)')
    .option('--binary-path <file>', 'The aegis command that the service runs (default: this one)')
    .option('--user <name>', 'The account that the service runs as (default: root)')
    .option('--dry-run', 'Print the unit instead of installing it')
    .action(dispatch(async () => (await import('../daemon/install-service.ts')).installService))

  daemon
    .command('uninstall')
    .description('Stop and remove the systemd service; AEGIS_HOME stays')
    .action(dispatch(async () => (await import('../daemon/install-service.ts')).uninstallService))
}
