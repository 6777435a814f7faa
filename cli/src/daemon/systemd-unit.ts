export interface UnitOptions {
  /** The argv that runs the daemon in the foreground; its first part is an absolute path. */
  readonly argv: readonly [string, ...string[]]
  readonly home: string
  /** Absent: root. */
  readonly user?: string | undefined
}

/**
 * A systemd unit for the daemon. What it leaves out is left out on purpose: ProtectKernelTunables,
 * ProtectKernelLogs, ProtectProc and ProtectHostname keep sandboxes from mounting a /proc or naming
 * themselves, PrivateDevices and ProtectClock hide /dev/kvm.
 */
export function renderUnit({ argv, home, user }: UnitOptions): string {
  return `[Unit]
Description=AEGIS node: runs autonomous agents in isolated sandboxes
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
ExecStart=${argv.map(quoteArgument).join(' ')}
Environment=${quoteArgument(`AEGIS_HOME=${home}`)}
${user === undefined ? '' : `User=${user}\n`}Restart=on-failure
RestartSec=2
# The daemon ends its sandboxes itself, and takes its executions up again at the next start.
KillMode=mixed
TimeoutStopSec=30
# Sandboxes get cgroups of their own below this service, and one of them running out of memory is
# no reason to stop the others.
Delegate=yes
OOMPolicy=continue
TasksMax=infinity
LimitNOFILE=65536
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=full
LockPersonality=yes
RestrictRealtime=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
`
}

/** Quotes so that systemd hands over exactly this text: no specifier, variable or escape in it. */
export function quoteArgument(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('%', '%%')
    .replaceAll('$', '$$$$')
  return `"${escaped}"`
}
