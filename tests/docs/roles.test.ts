import { readFile } from 'node:fs/promises'
import { apiActions, leastRole, roles } from '@aegis/core'
import { expect, it } from 'vitest'

it('prints exactly what each role may do', async () => {
  const page = await readFile(new URL('../../docs/access.md', import.meta.url), 'utf8')
  const printed = [...page.matchAll(/^\| `(\w+)` \| (`api\.[^|]+) \|$/gm)].map(([, role, list]) => [
    role,
    list?.split(', ').map((action) => action.replaceAll('`', '')),
  ])
  const expected = roles.map((role) => [
    role,
    apiActions.filter((action) => leastRole[action] === role),
  ])
  expect(printed).toEqual(expected)
})
