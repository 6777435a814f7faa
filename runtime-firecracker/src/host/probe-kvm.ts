import { execFile } from 'node:child_process'
import { z } from 'zod'

const schema = z.strictObject({
  /**
   * `usable`: code runs on the processor itself. `slow`: it is interpreted. `broken`: instructions
   * that kernels need do not run. `denied`: we may not open it.
   */
  state: z.enum(['usable', 'slow', 'broken', 'denied', 'absent']),
  /** Half a sentence for people. */
  detail: z.string().min(1).max(200),
  /** How long one turn of a loop of two instructions takes inside. */
  nsPerLoop: z.number().nonnegative().optional(),
})

/** What became of a small guest on /dev/kvm. */
export type KvmProbe = z.infer<typeof schema>

/** The program gives itself less than a second; on a host under load it may wait for a processor. */
const deadlineMs = 10_000

/**
 * Runs code of a guest on /dev/kvm, since that a machine can be made proves nothing. Never rejects
 * but for the signal: a probe that cannot be run, or does not end, is an answer too.
 */
export async function probeKvm(probePath: string, signal: AbortSignal): Promise<KvmProbe> {
  const options = { timeout: deadlineMs, killSignal: 'SIGKILL', maxBuffer: 4096, env: {} } as const
  const { promise, resolve } = Promise.withResolvers<KvmProbe>()
  execFile(probePath, [], { ...options, signal }, (error, stdout) => {
    if (error === null) resolve(parseProbe(stdout))
    else if (error.killed)
      resolve({ state: 'slow', detail: `a small guest did not end within ${deadlineMs / 1000} s` })
    else
      resolve({ state: 'broken', detail: `it could not be tried: ${error.message.slice(0, 150)}` })
  })
  const found = await promise
  signal.throwIfAborted()
  return found
}

/** The probe's one line. Whatever else it says is no proof that KVM works. */
export function parseProbe(text: string): KvmProbe {
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    return { state: 'broken', detail: 'the probe ended without a word that can be read' }
  }
}
