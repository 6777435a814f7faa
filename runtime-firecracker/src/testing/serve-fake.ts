import { createServer, type Server } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { FakeFirecracker } from './fake-firecracker.ts'
import type { FakeVmmPlan } from './fake-vmm-plan.ts'

/** The double's API over HTTP, with the mishaps of a plan. Nothing listens yet. */
export function serveFake(
  double: FakeFirecracker,
  plan: Pick<FakeVmmPlan, 'at' | 'answersToGet'>,
): Server {
  let questions = 0
  return createServer(async (incoming, outgoing) => {
    const { method = '', url = '' } = incoming
    const chunks: Buffer[] = await Array.fromAsync(incoming)
    const mishap = plan.at?.[`${method} ${url}`]
    if (url === '/' && ++questions > (plan.answersToGet ?? Number.POSITIVE_INFINITY)) return
    switch (mishap?.kind) {
      case 'hang':
        return
      case 'die':
        process.kill(process.pid, 'SIGKILL')
        return
      case 'flood':
        outgoing.end('x'.repeat(mishap.bytes))
        return
      case 'slow':
        await delay(mishap.ms)
    }
    const { status, body } =
      mishap?.kind === 'refuse'
        ? { status: 400, body: { fault_message: mishap.words } }
        : double.answer(method, url, Buffer.concat(chunks).toString())
    outgoing.writeHead(status, { server: 'Firecracker API', 'content-type': 'application/json' })
    outgoing.end(body && JSON.stringify(body))
  })
}
