import fc from 'fast-check'
import { expect, it } from 'vitest'
import { familiarName, fullName, imageIdOf, imageNameOf } from './image-name.ts'

const digest = `sha256:${'0a'.repeat(32)}`

it.each([
  ['python', 'docker.io', 'library/python', 'latest'],
  ['python:3.11', 'docker.io', 'library/python', '3.11'],
  ['docker.io/library/python:3.11', 'docker.io', 'library/python', '3.11'],
  ['docker.io/python:3.11', 'docker.io', 'library/python', '3.11'],
  ['index.docker.io/library/python:3.11', 'docker.io', 'library/python', '3.11'],
  ['acme/agent', 'docker.io', 'acme/agent', 'latest'],
  ['ghcr.io/acme/agent:1.2', 'ghcr.io', 'acme/agent', '1.2'],
  ['localhost/agent', 'localhost', 'agent', 'latest'],
  ['127.0.0.1:5000/agent', '127.0.0.1:5000', 'agent', 'latest'],
  [`ghcr.io/acme/agent@${digest}`, 'ghcr.io', 'acme/agent', digest],
  [`agent:1@${digest}`, 'docker.io', 'library/agent', digest],
])('takes %s apart', (reference, registry, repository, version) => {
  expect(imageNameOf(reference)).toEqual({ registry, repository, version })
})

it.each([
  ['docker.io/library/python:3.11', 'python:3.11', 'docker.io/library/python:3.11'],
  ['index.docker.io/python', 'python:latest', 'docker.io/library/python:latest'],
  ['docker.io/acme/agent:1', 'acme/agent:1', 'docker.io/acme/agent:1'],
  ['docker.io/ghcr.io/agent:1', 'docker.io/ghcr.io/agent:1', 'docker.io/ghcr.io/agent:1'],
  ['localhost:5000/library/a:1', 'localhost:5000/library/a:1', 'localhost:5000/library/a:1'],
  [`python:3.11@${digest}`, `python@${digest}`, `docker.io/library/python@${digest}`],
])('writes %s as %s, and in full as %s', (reference, familiar, full) => {
  expect(familiarName(imageNameOf(reference))).toBe(familiar)
  expect(fullName(imageNameOf(reference))).toBe(full)
})

it('tells an id from a name', () => {
  expect(imageIdOf(digest)).toBe(digest)
  expect(imageIdOf(digest.slice('sha256:'.length))).toBe(digest)
  expect(imageIdOf('cafe')).toBeUndefined()
  expect(imageIdOf(`python@${digest}`)).toBeUndefined()
})

const part = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,8}[a-z0-9])?$/)
const reference = fc
  .tuple(fc.array(part, { minLength: 1, maxLength: 4 }), fc.option(part), fc.boolean())
  .map(([path, tag, pinned]) => {
    const tagged = tag === null ? path.join('/') : `${path.join('/')}:${tag}`
    return pinned ? `${tagged}@${digest}` : tagged
  })

it('reads what it wrote as the same name again', () => {
  fc.assert(
    fc.property(reference, (text) => {
      const name = imageNameOf(text)
      expect(imageNameOf(familiarName(name))).toEqual(name)
      expect(imageNameOf(fullName(name))).toEqual(name)
    }),
  )
})

it('takes any text', () => {
  fc.assert(fc.property(fc.string(), (text) => void familiarName(imageNameOf(text))))
})
