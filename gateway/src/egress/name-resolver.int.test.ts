import { describe, expect, it } from 'vitest'
import { openDnsServer } from '../testing/open-dns-server.ts'
import { makeNameResolver } from './name-resolver.ts'

const never = new AbortController().signal

describe('a name that is looked up at a name server', () => {
  it('has its addresses of both families, one of each in turn', async () => {
    await using dns = await openDnsServer(() => ({
      a: ['1.1.1.1', '1.1.1.2', '1.1.1.3'],
      aaaa: ['2a00::1'],
    }))
    const resolver = makeNameResolver({ servers: [dns.address] })

    const found = await resolver.resolve('db.test', never)

    expect(found.map(({ text }) => text)).toEqual(['1.1.1.1', '2a00::1', '1.1.1.2', '1.1.1.3'])
    expect(new Set(dns.asked)).toEqual(new Set(['A db.test', 'AAAA db.test']))
  })

  it('is asked about each time, and nothing of it is remembered', async () => {
    const answers = [['1.1.1.1'], ['127.0.0.1']]
    await using dns = await openDnsServer((_name, type) =>
      type === 'A' ? { a: answers.shift() ?? [] } : {},
    )
    const resolver = makeNameResolver({ servers: [dns.address] })

    const first = await resolver.resolve('db.test', never)
    const second = await resolver.resolve('db.test', never)

    expect([first, second].flat().map(({ text }) => text)).toEqual(['1.1.1.1', '127.0.0.1'])
  })

  it('has at most 32 addresses', async () => {
    const many = Array.from({ length: 25 }, (_, index) => `1.1.1.${index}`)
    const six = Array.from({ length: 12 }, (_, index) => `2a00::${index + 1}`)
    await using dns = await openDnsServer(() => ({ a: many, aaaa: six }))
    const resolver = makeNameResolver({ servers: [dns.address] })
    expect(await resolver.resolve('db.test', never)).toHaveLength(32)
  })

  it('of one family has those', async () => {
    await using dns = await openDnsServer((_name, type) =>
      type === 'AAAA' ? { aaaa: ['2a00::1'] } : {},
    )
    const resolver = makeNameResolver({ servers: [dns.address] })
    expect(await resolver.resolve('db.test', never)).toMatchObject([{ text: '2a00::1' }])
  })

  it('that does not exist says so', async () => {
    await using dns = await openDnsServer(() => 'absent')
    const resolver = makeNameResolver({ servers: [dns.address] })
    await expect(resolver.resolve('db.test', never)).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'egress.unresolved',
      message: 'db.test has no address: ENOTFOUND.',
    })
  })

  it('that nobody answers about is given up in time', async () => {
    await using dns = await openDnsServer(() => 'silent')
    const resolver = makeNameResolver({ servers: [dns.address], timeoutMs: 120 })
    await expect(resolver.resolve('db.test', never)).rejects.toMatchObject({
      code: 'egress.unresolved',
    })
  })

  it('is given up with who wanted it', async () => {
    await using dns = await openDnsServer(() => 'silent')
    const resolver = makeNameResolver({ servers: [dns.address] })
    const gone = new AbortController()
    const resolving = resolver.resolve('db.test', gone.signal)
    await expect.poll(() => dns.asked.length).toBeGreaterThan(0)
    gone.abort(new Error('gone'))
    await expect(resolving).rejects.toThrow('gone')
  })
})

describe('a name that the host looks up itself', () => {
  it('may stand in its hosts file', async () => {
    const found = await makeNameResolver({ servers: [] }).resolve('localhost', never)
    expect(['127.0.0.1', '::1']).toContain(found[0]?.text)
  })

  it('that cannot exist says so', async () => {
    const resolver = makeNameResolver({ servers: [] })
    await expect(resolver.resolve('nobody.invalid', never)).rejects.toMatchObject({
      code: 'egress.unresolved',
    })
  })
})

it('refuses name servers that are no addresses', () => {
  expect(() => makeNameResolver({ servers: ['dns.example'] })).toThrow(
    expect.objectContaining({ kind: 'invalid', code: 'egress.resolvers' }),
  )
})
