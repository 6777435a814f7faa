import { expect, it } from 'vitest'
import type { AgentManifest } from '../agent/agent-manifest.ts'
import { agentId, sandboxId } from '../kernel/ids.ts'
import type { SandboxRuntime } from '../sandbox/sandbox-runtime.ts'
import { aManifest } from '../testing/a-manifest.ts'
import { programOf } from './agent-program.ts'
import { recipeKey, type SandboxRecipe, specOf } from './sandbox-recipe.ts'

const notHere = () => Promise.reject(new Error('not here'))
const runtime: SandboxRuntime = {
  isolation: 'docker',
  capabilities: notHere,
  boot: notHere,
  sweep: notHere,
  diagnose: notHere,
  [Symbol.asyncDispose]: async () => {},
}
const recipe = (manifest: AgentManifest, changes: Partial<SandboxRecipe> = {}): SandboxRecipe => ({
  agentId: agentId('a'),
  agentRevision: 1,
  manifest,
  image: undefined,
  runtime,
  limits: { cpuMillicores: 1, memoryBytes: 1, diskBytes: 1, pids: 1, outputBytes: 1 },
  ...changes,
})
const script = { path: '/tmp/script', content: new Uint8Array() }
const bootstrapOf = (language: string) =>
  ({ file: script, argv: [language, '/tmp/script'], standsBy: true }) as const

it('runs the script of the language, which is put in first', () => {
  const context = [{ type: 'text', content: 'hi', encoding: 'utf-8', path: 'a.txt' }] as const
  const python = aManifest('a', { runtime: { language: 'Python' }, context })
  expect(programOf(bootstrapOf, recipe(python))).toMatchObject({
    argv: ['python', '/tmp/script'],
    takesPrompt: true,
    standsBy: true,
    files: [script, { path: '/workspace/a.txt' }],
  })
})

it('runs a command as it is, which is never started before its task', () => {
  const own = aManifest('a', { runtime: { language: 'ruby' }, task: { command: ['ruby', 'x.rb'] } })
  expect(programOf(bootstrapOf, recipe(own))).toEqual({
    argv: ['ruby', 'x.rb'],
    takesPrompt: false,
    standsBy: false,
    files: [],
  })
})

it('refuses a language without a script', () => {
  const ruby = recipe(aManifest('a', { runtime: { language: 'ruby' } }))
  expect(() => programOf(bootstrapOf, ruby)).toThrow('no bootstrap script for language "ruby"')
})

it('tells sandboxes apart by agent, revision, runtime and what the image really is', () => {
  const manifest = aManifest('a')
  const image = { reference: 'x:1', id: 'sha256:1', digest: 'x@sha256:9' }
  const key = recipeKey(recipe(manifest, { image }))
  // Another engine has another id for the same digest.
  expect(recipeKey(recipe(manifest, { image: { ...image, id: 'sha256:2' } }))).toBe(key)
  for (const other of [
    { agentId: agentId('b') },
    { agentRevision: 2 },
    { runtime: { ...runtime, isolation: 'process' } },
    { image: undefined },
    { image: { reference: 'x:1', id: 'sha256:1' } },
  ] as const) {
    expect(recipeKey(recipe(manifest, { image, ...other }))).not.toBe(key)
  }
})

it('asks for the kernel that the manifest asks for, and shares no path of the sandbox itself', () => {
  const manifest = aManifest('a', {
    runtime: { sandbox: 'gvisor' },
    filesystem: { read: ['/srv', '/tmp/x'], write: ['/workspace'] },
  })
  const own = { id: sandboxId('s'), onConnect: () => undefined, mayKnow: () => true }
  const spec = specOf(recipe(manifest), own)
  expect(spec).toMatchObject({ id: 's', applicationKernel: 'gvisor' })
  expect(spec.filesystem).toEqual({ read: ['/srv'], write: [], readOnly: false })
  expect(specOf(recipe(aManifest('a')), own)).not.toHaveProperty('applicationKernel')
})

it('lets a sandbox know only the names that the policy lets it know', () => {
  const manifest = aManifest('a', {
    network: { mode: 'allow', allowlist: ['a.com', 'b.com', '*.c.com'] },
  })
  const mayKnow = (name: string) => name !== 'a.com'
  const { network } = specOf(recipe(manifest), {
    id: sandboxId('s'),
    onConnect: () => undefined,
    mayKnow,
  })
  expect(network).toMatchObject({ names: ['b.com'], suffixes: ['c.com'] })
})
