import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultNodeConfig, type NodeConfig } from '@aegis/core'
import { expect, it, onTestFinished } from 'vitest'
import { bootstrapOf } from './own-bootstrap.ts'

function configWith(path: string | undefined): NodeConfig {
  const config = defaultNodeConfig({ hostName: 'test', nodeId: 'test' })
  const runtime = { ...config.spec.runtime, ...(path && { bootstrap_script: path }) }
  return { ...config, spec: { ...config.spec, runtime } }
}

it('starts the scripts of AEGIS ahead of their tasks, and none of which it does not know how', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-bootstrap-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'own.py')
  await writeFile(path, 'print("own")')
  const [standard, own] = [bootstrapOf(configWith(undefined)), bootstrapOf(configWith(path))]
  expect(standard('python').standsBy).toBe(true)
  expect(own('javascript')).toEqual(standard('javascript'))
  expect(own('python')).toMatchObject({ argv: standard('python').argv, standsBy: false })
  expect(Buffer.from(own('python').file.content).toString()).toBe('print("own")')
})

it('names a script that cannot be read', () => {
  expect(() => bootstrapOf(configWith('/nowhere/own.py'))).toThrow('/nowhere/own.py')
})
