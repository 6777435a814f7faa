import { expect, it } from 'vitest'
import { defaultNodeConfig } from '../node/default-node-config.ts'
import { aManifest } from '../testing/a-manifest.ts'
import { limitsOf } from './limits-of.ts'

const resources = { cpu: 250, memory: '64Mi', disk: '2M', timeout: '2m', pids: 32 }

it('gives the numbers of a manifest', () => {
  expect(limitsOf(aManifest('a', { resources }))).toEqual({
    cpuMillicores: 250,
    memoryBytes: 67_108_864,
    diskBytes: 2_000_000,
    pids: 32,
    outputBytes: 16_777_216,
    timeoutMs: 120_000,
    iterationTimeoutMs: 120_000,
  })
})

it('gives an iteration its own time, but never more than the execution has', () => {
  const timeOf = (seconds: number) => {
    const manifest = aManifest('a', { resources, execution: { timeout_per_iteration: seconds } })
    return limitsOf(manifest).iterationTimeoutMs
  }
  expect(timeOf(30)).toBe(30_000)
  expect(timeOf(600)).toBe(120_000)
})

it('lets the node say how much may be printed', () => {
  const config = defaultNodeConfig({ hostName: 'h', nodeId: 'n' })
  const runtime = { ...config.spec.runtime, output_limit: '1Mi' }
  const changed = { ...config, spec: { ...config.spec, runtime } }
  expect(limitsOf(aManifest('a'), changed).outputBytes).toBe(2 ** 20)
})
