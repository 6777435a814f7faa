import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { makeProgram } from './program.ts'
import { renderReference } from './reference.ts'

it('is what docs/reference/cli.md says', async () => {
  const page = fileURLToPath(new URL('../../../docs/reference/cli.md', import.meta.url))
  const program = makeProgram({ version: '', run: async () => {} })
  await expect(renderReference(program)).toMatchFileSnapshot(page)
})
