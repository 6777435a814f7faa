import { readFileSync } from 'node:fs'
import { parseManifest, parseNodeConfig } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { referencePages } from './reference-pages.ts'

describe.each([...referencePages()])('docs/reference/%s', (name, page) => {
  it('says what the schemas say (npm run docs writes it)', () => {
    const path = new URL(`../docs/reference/${name}`, import.meta.url)
    expect(readFileSync(path, 'utf8')).toBe(page)
  })

  it('shows an example that parses', () => {
    const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(page) ?? []
    const parse = name === 'manifest.md' ? parseManifest : parseNodeConfig
    expect(parse(example).kind).toBeTruthy()
  })

  it('explains every key but those that tell entries apart', () => {
    const rows = page
      .split('\n')
      .filter((line) => /^\| `[\w.[\]]+` \| .* \| .* \| .* \|$/.test(line))
    expect(rows.length).toBeGreaterThan(40)
    const silent = rows.filter(
      (row) => row.endsWith('|  |') && !/^\| `([\w.[\]]+\.)?type`/.test(row),
    )
    expect(silent).toEqual([])
  })
})
