import { describe, expect, it } from 'vitest'
import { openInspectScene } from './testing/open-inspect-scene.ts'

const http = { 'site.test:PORT': { methods: ['GET', 'POST'], paths: ['/repos/*', '/'] } }

describe('a request inside TLS', () => {
  it('that a rule permits reaches the server, and its answer comes back', async () => {
    await using scene = await openInspectScene({
      http,
      site: (_, outgoing) => {
        outgoing.writeHead(201, 'Fine', { 'x-more': ['1', '2'], 'content-type': 'text/plain' })
        outgoing.end('hello')
      },
    })
    const told = await scene.ask('/repos/a?q=1', { headers: { 'X-Mine': 'yes' } })
    expect(told).toMatchObject({ status: 201, text: 'hello', headers: { 'x-more': '1, 2' } })
    expect(scene.seen[0]?.url).toBe('/repos/a?q=1')
    expect(scene.seen[0]?.headers).toMatchObject({
      'x-mine': 'yes',
      host: `site.test:${scene.port}`,
    })
  })
})
