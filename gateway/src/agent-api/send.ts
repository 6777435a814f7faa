import type { ServerResponse } from 'node:http'
import type { AgentDialect } from '../dialects/agent-dialect.ts'
import { describeFault, faultSeconds } from '../llm-fault.ts'

const json = 'application/json; charset=utf-8'

export function sendJson(outgoing: ServerResponse, body: unknown, status = 200): void {
  sendBytes(outgoing, Buffer.from(JSON.stringify(body)), json, status)
}

export function sendBytes(
  outgoing: ServerResponse,
  bytes: Buffer,
  contentType = json,
  status = 200,
): void {
  outgoing.writeHead(status, { 'content-type': contentType, 'content-length': bytes.length })
  outgoing.end(bytes)
}

/** Answers with a failure in the dialect's own words; only before anything else was sent. */
export function sendFault(
  outgoing: ServerResponse,
  dialect: Pick<AgentDialect, 'fault'>,
  error: unknown,
): void {
  const fault = describeFault(error)
  const seconds = faultSeconds(fault)
  if (seconds !== undefined) outgoing.setHeader('retry-after', String(seconds))
  // The gateway has tried again already, or knows that trying is useless: the official clients heed this.
  if (!fault.retryable) outgoing.setHeader('x-should-retry', 'false')
  sendJson(outgoing, dialect.fault(fault), fault.status)
}
