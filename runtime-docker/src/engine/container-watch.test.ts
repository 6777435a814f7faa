import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { fakeEngine } from '../testing/fake-engine.ts'
import { makeContainerWatch } from './container-watch.ts'

function watchOf() {
  const events = new PassThrough({ objectMode: true })
  const engine = fakeEngine(() => events)
  const tell = (Action: string, name: string, exitCode?: string) =>
    events.write({ Action, Actor: { Attributes: { name, ...(exitCode && { exitCode }) } } })
  return { watch: makeContainerWatch(engine.client, 'aegis.owner=me'), tell, events, engine }
}

it('tells a container that ran out of memory from others', async () => {
  const { tell, watch } = watchOf()
  watch.watch('a')
  watch.watch('b')
  tell('oom', 'a')
  tell('die', 'a', '137')
  tell('kill', 'b')
  tell('die', 'b', '137')
  expect(await watch.end('a', 1000)).toEqual({ oomKilled: true, killed: true })
  expect(await watch.end('b', 1000)).toEqual({ oomKilled: false, killed: false })
  expect(await watch.end('never seen', 1000)).toEqual({ oomKilled: false, killed: false })
  watch[Symbol.dispose]()
})

it('waits no longer than it is told', async () => {
  const { watch } = watchOf()
  watch.watch('silent')
  expect(await watch.end('silent', 5)).toEqual({ oomKilled: false, killed: false })
  watch[Symbol.dispose]()
})

it('listens on one connection for all, and again after that broke', async () => {
  const { watch, engine, events } = watchOf()
  watch.watch('a')
  watch.watch('b')
  expect(engine.asked).toEqual(['GET /events'])
  events.destroy()
  await expect
    .poll(() => {
      watch.watch('c')
      return engine.asked.length
    })
    .toBeGreaterThan(1)
  watch[Symbol.dispose]()
})
