import type { AgentQueries } from '../agent/agent-queries.ts'
import { findAgent } from '../agent/find-agent.ts'
import type { AuditControl, AuditQuery, LoggedEntry } from '../control-plane.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import { toBase64 } from '../kernel/base64.ts'
import type { AuditNotary } from './audit-notary.ts'
import type { AuditFilter, AuditStore, StoredEntry } from './audit-store.ts'
import { formatBundle } from './entry-bundle.ts'
import { followEntries } from './follow-entries.ts'
import { makeMerkleHash } from './merkle-hash.ts'
import { proveEntry } from './prove-entry.ts'
import { readEntry } from './read-entry.ts'
import { formatVerifierKey } from './signed-note.ts'
import { tileWidth } from './tile.ts'
import { parseTilePath } from './tile-path.ts'
import { verifyStore } from './verify-store.ts'

export interface AuditControlDeps {
  readonly audit: AuditStore
  readonly notary: AuditNotary
  readonly agents: AgentQueries
  /** Gives others their turn. */
  readonly pause: () => Promise<void>
}

/** Most that one call lists. */
export const maxListedEntries = 1000

/** What users may ask of the log. */
export function makeAuditControl(deps: AuditControlDeps): AuditControl {
  const { audit, notary, agents, pause } = deps
  const merkle = makeMerkleHash(notary.sha256)
  // It reads the whole log: one at a time is what a node can spare.
  let isVerifying = false

  const logged = ({ index, body }: StoredEntry): LoggedEntry => ({
    index,
    hash: toBase64(merkle.leaf(body)),
    entry: readEntry(body),
  })

  const filterOf = async ({ agentRef, limit, ...filter }: AuditQuery): Promise<AuditFilter> => ({
    ...filter,
    ...(agentRef !== undefined && { agentId: await agentIdOf(agents, agentRef) }),
  })

  return {
    async list(query, signal) {
      const limit = Math.min(query.limit ?? 20, maxListedEntries)
      return (await audit.find(await filterOf(query), limit, signal)).map(logged)
    },
    async entry(index) {
      if (index >= (await audit.size())) throw entryAbsent(index)
      const [found] = await audit.entries(index, 1)
      if (found?.index === index) return logged(found)
      // Its body was dropped; what it was the hash of can still be shown.
      const tile = {
        level: 0,
        index: Math.floor(index / tileWidth),
        width: (index % tileWidth) + 1,
      }
      return { index, hash: toBase64((await audit.tile(tile)).slice(-32)), entry: undefined }
    },
    async *follow(query, signal) {
      const filter = await filterOf(query)
      for await (const entry of followEntries(audit, filter, query.from, signal, pause))
        yield logged(entry)
    },
    async key() {
      return formatVerifierKey(notary.signer.key)
    },
    async checkpoint() {
      return (await notary.checkpoint()).note
    },
    async tile(path) {
      const resource = parseTilePath(path)
      if (resource === undefined) throw noTile(path)
      if (resource.kind === 'hashes') return audit.tile(resource)
      const { index, width } = resource
      const first = index * tileWidth
      if (first + width > (await audit.size())) throw noTile(path)
      const bodies = await audit.entries(first, width)
      if (bodies.length < width || bodies.at(-1)?.index !== first + width - 1) throw dropped(path)
      return formatBundle(bodies.map(({ body }) => body))
    },
    async prove(index, size) {
      if (index >= (size ?? (await audit.size()))) throw entryAbsent(index)
      return proveEntry({ audit, notary, merkle }, index, size)
    },
    async verify(onProgress, signal) {
      if (isVerifying) throw busy()
      isVerifying = true
      try {
        return await verifyStore({ audit, notary, merkle, onProgress, pause, signal })
      } finally {
        isVerifying = false
      }
    },
  }
}

/** The id of an agent that is there; or an id as it is, since the log outlives agents. */
async function agentIdOf(agents: AgentQueries, ref: string): Promise<string> {
  try {
    return (await findAgent(agents, ref)).id
  } catch (error) {
    if (isUuidLike(ref)) return ref
    throw error
  }
}

const isUuidLike = (text: string): boolean =>
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)

const entryAbsent = (index: number): AegisError =>
  new AegisError(
    'not-found',
    'audit.absent',
    `The audit has no entry ${index} yet. See the latest with aegis audit list.`,
  )

const busy = (): AegisError =>
  new AegisError(
    'exhausted',
    'audit.busy',
    'The audit is being verified already. Ask again when that is done, or verify an export: aegis audit export <directory>.',
  )

const noTile = (path: string): AegisError =>
  new AegisError(
    'not-found',
    'audit.tile',
    `The audit has no ${path.slice(0, 100)}. Its checkpoint says how far it goes, and C2SP tlog-tiles what paths there are.`,
  )

const dropped = (path: string): AegisError =>
  new AegisError(
    'not-found',
    'audit.dropped',
    `The entries of ${path} were dropped by the retention of this node; their hashes are kept.`,
  )
