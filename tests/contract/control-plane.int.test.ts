import { describeControlPlane } from './control-plane-contract.ts'
import { openMemoryNode, serveHttp } from './control-plane-host.ts'

describeControlPlane('the node itself', openMemoryNode)

describeControlPlane('the SDK over HTTP', async () => {
  const node = await openMemoryNode()
  const served = await serveHttp(node.plane)
  return {
    plane: served.plane,
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]()
      await node[Symbol.asyncDispose]()
    },
  }
})
