import { readdirSync, readFileSync } from 'node:fs'
import { parseManifest } from '@aegis/core'
import { expect, it } from 'vitest'

const folder = new URL('../demo-agents/', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, folder), 'utf8')
const names = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

it.each(names)('%s has a manifest under its own name, without a network', (name) => {
  const { metadata, spec } = parseManifest(read(`${name}/agent.yaml`), { file: name })
  expect(metadata.name).toBe(name)
  expect(spec.security.network.mode).toBe('none')
})

it.each(names)('%s is told of in the README', (name) => {
  expect(read('README.md')).toMatch(new RegExp(`^\\| ${name} +\\|`, 'm'))
})
