import { auditControlPlane } from '@aegis/core'
import { describeControlPlaneAudit } from './control-plane-audit.ts'
import { describeControlPlane } from './control-plane-contract.ts'
import {
  type ImagePlaneHost,
  type MemoryNodeOptions,
  openMemoryNode,
  realClock,
  serveHttp,
} from './control-plane-host.ts'
import { describeControlPlaneImages } from './control-plane-images.ts'
import { describeControlPlaneSandboxes } from './control-plane-sandboxes.ts'
import { describeControlPlaneSecrets } from './control-plane-secrets.ts'
import { describeControlPlaneSupply } from './control-plane-supply.ts'
import { describeControlPlaneTokens } from './control-plane-tokens.ts'

for (const [name, open] of [
  ['the node itself', openMemoryNode],
  ['the node with its calls in the audit', openAudited],
  ['the SDK over HTTP', openOverHttp],
] as const) {
  describeControlPlane(name, open)
  describeControlPlaneAudit(name, open)
  describeControlPlaneImages(name, open)
  describeControlPlaneSandboxes(name, open)
  describeControlPlaneSecrets(name, open)
  describeControlPlaneSupply(name, open)
  describeControlPlaneTokens(name, open)
}

/** As commands without a daemon use it. */
async function openAudited(options?: MemoryNodeOptions): Promise<ImagePlaneHost> {
  const node = await openMemoryNode(options)
  return {
    plane: auditControlPlane(node.plane, { audit: node.audit, clock: realClock }),
    images: node.images,
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  }
}

async function openOverHttp(options?: MemoryNodeOptions): Promise<ImagePlaneHost> {
  const node = await openMemoryNode(options)
  const served = await serveHttp(node.plane)
  return {
    plane: served.plane,
    images: node.images,
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]()
      await node[Symbol.asyncDispose]()
    },
  }
}
