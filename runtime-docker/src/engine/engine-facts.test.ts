import { expect, it } from 'vitest'
import { debianDocker, rootlessDocker } from '../testing/engine-answers.ts'
import { fakeEngine } from '../testing/fake-engine.ts'
import { readEngineFacts } from './engine-facts.ts'

const factsOf = (info: object) =>
  readEngineFacts(fakeEngine(() => info).client, new AbortController().signal)

it('reads what an engine says of itself', async () => {
  expect(await factsOf(debianDocker)).toMatchObject({
    version: '20.10.24+dfsg1',
    architecture: 'x86_64',
    cgroups: { version: '1', driver: 'cgroupfs' },
    limits: { cpu: true, memory: true, pids: true, swap: true },
    runtimes: expect.arrayContaining([
      { name: 'runc', gvisor: false, limits: true },
      { name: 'runsc', gvisor: true, limits: true },
    ]),
    rootless: false,
    seccomp: true,
    gpus: undefined,
  })
  expect(await factsOf(rootlessDocker)).toMatchObject({ rootless: true, seccomp: true })
})

it('takes what is not said for what is not there', async () => {
  expect(await factsOf({})).toMatchObject({
    limits: { cpu: false, memory: false, pids: false, swap: false },
    runtimes: [],
    seccomp: false,
    gpus: undefined,
  })
})

it('knows gVisor and graphics cards by any of their names', async () => {
  const kvm = {
    'runsc-kvm': { path: '/usr/local/bin/runsc' },
    g: { runtimeType: 'io.containerd.runsc.v1' },
  }
  const { runtimes } = await factsOf({ Runtimes: kvm })
  expect(runtimes.every(({ gvisor }) => gvisor)).toBe(true)
  expect(await factsOf({ Runtimes: { nvidia: {} } })).toMatchObject({ gpus: 'nvidia' })
  const devices = [{ Source: 'cdi', ID: 'nvidia.com/gpu=0' }]
  expect(await factsOf({ DiscoveredDevices: devices })).toMatchObject({ gpus: 'cdi' })
})

it('does not take an unconfined profile for protection', async () => {
  const options = ['name=seccomp,profile=unconfined']
  expect(await factsOf({ SecurityOptions: options })).toMatchObject({ seccomp: false })
})
