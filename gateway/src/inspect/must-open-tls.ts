import { defaultPorts, type SandboxIdentity } from '@aegis/core'
import { entryCovers } from './entry-covers.ts'

/**
 * Whether TLS to this destination has to end here: where a rule wants its requests seen, and, for an
 * agent with secrets, everywhere but at hosts that it wants to pass unread, so that a placeholder is
 * seen wherever it is sent.
 */
export function mustOpenTls(
  { egress, secrets }: Pick<SandboxIdentity, 'egress' | 'secrets'>,
  host: string,
  port: number,
): boolean {
  const covers = (rule: (typeof egress.rules)[number]) =>
    entryCovers(rule, host, port, defaultPorts)
  if (egress.rules.some((rule) => rule.http !== undefined && covers(rule))) return true
  return secrets.length > 0 && !egress.opaque.some(covers)
}
