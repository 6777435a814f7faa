import type { AgentManifest, AgentRequest, PolicyDecision } from '@aegis/core'
import type { CompiledPolicy } from './compiled-policy.ts'

/** What a request is for, as a person would say it. */
export function subjectOf(request: AgentRequest): string {
  switch (request.action) {
    case 'network.connect': {
      const { host, port, address, http } = request
      const place = `${host.includes(':') ? `[${host}]` : host}:${port}`
      if (http !== undefined) return `${http.method} ${cut(http.path)} at ${place}`
      return address === undefined ? place : `${place} (${address})`
    }
    case 'dns.resolve':
      return `the address of ${cut(request.name)}`
    case 'fs.read':
    case 'fs.write':
      return cut(request.path)
    case 'llm.generate':
      return `the model "${cut(request.model)}"`
    case 'tool.invoke':
      return `the tool "${cut(request.tool)}"`
    case 'memory.read':
    case 'memory.write':
      return `the memory "${cut(request.space)}"`
    case 'swarm.spawn':
    case 'swarm.send':
      return `the agent "${cut(request.agent)}"`
    case 'swarm.lock':
      return `the lock "${cut(request.lock)}"`
    case 'secret.use':
      return `the secret "${cut(request.secret)}" at ${request.host}:${request.port}`
  }
}

const cut = (text: string): string => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  const shown = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown
}

export const permittedBy = (ids: readonly string[], subject: string): PolicyDecision => ({
  allow: true,
  policies: ids,
  because: `${ids.join(', ')} permits ${subject}.`,
})

export const denied = (because: string, policies: readonly string[] = []): PolicyDecision => ({
  allow: false,
  policies,
  because,
})

/** A defect must not open anything. */
export const engineFailed = denied(
  'The policy engine failed, and nothing is permitted then. The log of the daemon tells more; please report it.',
)

/** Cedar leaves out a policy that fails, which would permit what a forbid was written against. */
export const failedPolicies = (ids: readonly string[]): PolicyDecision =>
  denied(
    `Policy ${ids[0]} cannot be evaluated for this request, and nothing is permitted then. Mend it: an overflow of numbers, or an attribute of an agent that is not known.`,
    ids,
  )

/** Until the operator's policies could be read once. */
export const unreadable = (folder: string): PolicyDecision =>
  denied(
    `The policies in ${folder} have errors, and nothing is permitted until they are mended. See aegis policy check.`,
  )

/** A refusal that policies spoke out. */
export function forbiddenBy(
  ids: readonly string[],
  known: readonly CompiledPolicy[],
  subject: string,
): PolicyDecision {
  const found = known.find(({ id }) => id === ids[0])
  if (found?.id.startsWith('agent/') === true) {
    const because = `${found.source} of the manifest forbids ${subject}. Take the entry out to permit it.`
    return denied(because, ids)
  }
  const place = found === undefined ? '' : ` (${found.source})`
  const because = `Policy ${ids[0]}${place} of this node's operator forbids ${subject}. Only the operator can change that.`
  return denied(because, ids)
}

/** A refusal because nothing permits it, with what to write so that something does. */
export function permittedByNothing(
  request: AgentRequest,
  { spec }: AgentManifest,
  subject: string,
): PolicyDecision {
  return denied(`No rule of the manifest permits ${subject}. ${remedy(request, spec)}`)
}

function remedy(request: AgentRequest, { security, ...spec }: AgentManifest['spec']): string {
  switch (request.action) {
    case 'network.connect':
    case 'dns.resolve':
      return networkRemedy(request, security.network)
    case 'fs.read':
      return 'Add the folder to spec.security.filesystem.read, where the node shares it.'
    case 'fs.write':
      return 'Add the folder to spec.security.filesystem.write, where the node shares it.'
    case 'llm.generate':
      return 'See aegis policy list for what is in force.'
    case 'tool.invoke':
      return 'Add it to spec.tools.'
    case 'memory.read':
    case 'memory.write':
      return 'Agents have no memory spaces yet.'
    case 'swarm.spawn':
    case 'swarm.send':
    case 'swarm.lock':
      return spec.advanced.swarm_enabled
        ? 'A swarm is of agents of one name, and its locks are named after it.'
        : 'Set spec.advanced.swarm_enabled: true.'
    case 'secret.use':
      return 'Name it in spec.secrets.'
  }
}

function networkRemedy(
  request: Extract<AgentRequest, { action: 'network.connect' | 'dns.resolve' }>,
  { mode, http }: AgentManifest['spec']['security']['network'],
): string {
  if (mode === 'deny') {
    return 'Its network mode is deny, which the operator has to permit: spec.security.egress.allow_public: true in the node config.'
  }
  const name = request.action === 'dns.resolve' ? request.name : request.host
  const shown = name.includes(':') ? `[${name}]` : name
  const port = 'port' in request && ![80, 443].includes(request.port) ? `:${request.port}` : ''
  const entry = `Add ${shown}${port} to spec.security.network.allowlist`
  const isRequest = request.action === 'network.connect' && request.http !== undefined
  return isRequest && http.length > 0
    ? `${entry}, or a rule for such requests to spec.security.network.http.`
    : `${entry}.`
}
