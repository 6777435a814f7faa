import { describe, expect, it } from 'vitest'
import { aManifest } from '../testing/a-manifest.ts'
import { unheeded } from './unheeded.ts'

describe('what a manifest asks for in vain', () => {
  it('is nothing for a plain agent', () => {
    expect(unheeded(aManifest('echo'))).toEqual([])
    expect(unheeded(aManifest('echo', { advanced: { warm_pool_size: 3 } }))).toEqual([])
  })

  it('is named by its field', () => {
    const manifest = aManifest('echo', {
      execution: { validation: { system: {}, semantic: {} } },
    })
    const { spec } = manifest
    const asking = {
      ...manifest,
      spec: {
        ...spec,
        tools: ['mcp:x'],
        schedule: { type: 'interval', seconds: 5, enabled: true },
      },
    } as const
    expect(unheeded(asking).join('\n')).toMatch(
      /validation \(semantic\).*spec\.schedule.*spec\.tools/s,
    )
  })
})
