import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, it } from 'vitest'
import { type Page, prose, readPage, readPages, root } from './documents.ts'

const readmes = readdirSync(root)
  .map((folder) => join(folder, 'README.md'))
  .filter((path) => !path.startsWith('node_modules') && existsSync(join(root, path)))

it.each([...readPages(), ...readmes.map(readPage)])('$path links to what is there', (page) => {
  expect(relativeLinks(page).filter((link) => whyBroken(page, link) !== undefined)).toEqual([])
})

it('reads the page that a link means, and its headings', () => {
  const page = { path: 'docs/a.md', text: '' }
  expect(whyBroken(page, 'security.md#what-is-not-protected')).toBeUndefined()
  expect(whyBroken(page, 'security.md#nothing-of-the-kind')).toBeDefined()
  expect(whyBroken(page, 'nowhere.md')).toBeDefined()
})

function relativeLinks(page: Page): readonly string[] {
  const targets = [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  return targets.filter((target) => !/^[a-z]+:/.test(target))
}

function whyBroken(page: Page, link: string): string | undefined {
  const [file = '', anchor] = link.split('#')
  const path = file === '' ? page.path : normalize(join(dirname(page.path), file))
  if (!existsSync(join(root, path))) return `${path} is not there`
  if (anchor === undefined || statSync(join(root, path)).isDirectory()) return undefined
  return headings(readPage(path)).includes(anchor) ? undefined : `${path} has no #${anchor}`
}

/** As GitHub names them. */
function headings(page: Page): readonly string[] {
  return [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
