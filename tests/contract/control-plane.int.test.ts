import { describeControlPlane } from './control-plane-contract.ts'
import {
  type ImagePlaneHost,
  type MemoryNodeOptions,
  openMemoryNode,
  serveHttp,
} from './control-plane-host.ts'
import { describeControlPlaneImages } from './control-plane-images.ts'
import { describeControlPlaneSandboxes } from './control-plane-sandboxes.ts'
import { describeControlPlaneSecrets } from './control-plane-secrets.ts'

for (const [name, open] of [
  ['the node itself', openMemoryNode],
  ['the SDK over HTTP', openOverHttp],
] as const) {
  describeControlPlane(name, open)
  describeControlPlaneImages(name, open)
  describeControlPlaneSandboxes(name, open)
  describeControlPlaneSecrets(name, open)
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
