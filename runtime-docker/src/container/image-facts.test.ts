import { describe, expect, it } from 'vitest'
import { fakeEngine, refusal } from '../testing/fake-engine.ts'
import { makeImageReader } from './image-facts.ts'

const never = new AbortController().signal
const id = `sha256:${'1'.repeat(64)}`

function imageWith(config: object, more: object = {}) {
  return fakeEngine(() => ({
    Id: id,
    Os: 'linux',
    Architecture: 'amd64',
    Config: config,
    ...more,
  }))
}
const read = ({ client }: ReturnType<typeof imageWith>, image = id) =>
  makeImageReader(client).read(image, 'x86_64', never)

describe('an image', () => {
  it('has variables, and a PATH in any case', async () => {
    const { env } = await read(imageWith({ Env: ['LANG=C', 'EMPTY=', 'A=b=c', '=odd', 'odd'] }))
    expect(env).toEqual({
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C',
      EMPTY: '',
      A: 'b=c',
    })
    expect((await read(imageWith({ Env: ['PATH=/opt/bin'] }))).env).toEqual({ PATH: '/opt/bin' })
  })

  it('may not speak for AEGIS', async () => {
    const { env } = await read(imageWith({ Env: ['PATH=/bin', 'AEGIS_BOOTSTRAP_STANDBY=1'] }))
    expect(env).toEqual({ PATH: '/bin' })
  })

  it('may not carry labels without measure', async () => {
    await expect(read(imageWith({ Labels: { note: 'x'.repeat(65_536) } }))).rejects.toMatchObject({
      code: 'image.labels',
    })
  })

  it('may want volumes', async () => {
    const { volumes } = await read(imageWith({ Volumes: { '/data/': {}, '/a//b': {} } }))
    expect(volumes).toEqual(['/data', '/a/b'])
    expect((await read(imageWith({ Volumes: null, Env: null }))).volumes).toEqual([])
  })

  it.each([
    '/',
    '/.aegis',
    '/.aegis/guest',
    '/x/../.aegis',
    '/proc/1',
    '/sys',
    '/dev',
    'data',
    '/a,b',
    '/a:b',
  ])('may not want one at %s', async (path) => {
    await expect(read(imageWith({ Volumes: { [path]: {} } }))).rejects.toMatchObject({
      kind: 'invalid',
      code: 'image.volume',
    })
  })

  it('for another machine is refused', async () => {
    for (const platform of [{ Architecture: 'arm64' }, { Os: 'windows' }])
      await expect(read(imageWith({}, platform))).rejects.toMatchObject({ code: 'image.platform' })
  })

  it('that the engine has not is told so', async () => {
    const engine = fakeEngine(() => {
      throw refusal(404, 'No such image')
    })
    await expect(makeImageReader(engine.client).read('x:1', 'x86_64', never)).rejects.toMatchObject(
      {
        kind: 'not-found',
        code: 'image.absent',
      },
    )
  })

  it('is remembered by its id, and not by a name that may mean another tomorrow', async () => {
    const engine = imageWith({})
    const reader = makeImageReader(engine.client)
    for (const image of [id, id, 'python:3.11', 'python:3.11'])
      await reader.read(image, 'x86_64', never)
    expect(engine.asked).toHaveLength(3)
  })
})
