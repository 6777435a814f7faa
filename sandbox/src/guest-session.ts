import type {
  ExecCommand,
  LimitCause,
  SandboxFile,
  SandboxProcess,
  SandboxSpec,
  SandboxStats,
} from '@aegis/core'

export interface GuestOptions {
  /** Takes over a connection that was opened inside. To refuse, it destroys the stream. */
  readonly onConnect: SandboxSpec['onConnect']
  readonly onNotice?: SandboxSpec['onNotice']
  /** Bytes one command may print, stdout and stderr together; more ends the session. */
  readonly outputLimitBytes: number
  /** Who the agent's commands run as. Absent: as the guest itself runs. */
  readonly user?: { readonly uid: number; readonly gid: number }
  /** How long the guest may take to say hello and be configured. Default 10,000. */
  readonly helloTimeoutMs?: number
  /** Pause between two pings. Default 5,000. */
  readonly pingIntervalMs?: number
  /** How long a ping may stay unanswered. Default 15,000. */
  readonly pingTimeoutMs?: number
}

/** One guest at the other end of one byte stream. */
export interface GuestSession {
  /** @throws `not-found` / `exec.not-found` no such command · `unavailable` / `sandbox.ended` */
  exec(command: ExecCommand, signal: AbortSignal): Promise<SandboxProcess>
  writeFiles(files: readonly SandboxFile[], signal: AbortSignal): Promise<void>
  /** @throws `not-found` no such file · `exhausted` larger than `limitBytes` */
  readFile(path: string, limitBytes: number, signal: AbortSignal): Promise<Uint8Array>
  /** What the guest can see; a runtime may overlay what its limits group counts. */
  stats(signal: AbortSignal): Promise<SandboxStats>
  /**
   * Resolves once: undefined after `close`, else `protocol_violation`, `guest_unresponsive`,
   * `output_limit` or `sandbox_lost`.
   */
  readonly ended: Promise<LimitCause | undefined>
  /** Ends the stream, and with it the guest and all that it runs. Idempotent. */
  close(): void
}
