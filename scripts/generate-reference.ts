// Writes the generated pages of docs/reference.
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { referencePages } from './reference-pages.ts'

for (const [name, page] of referencePages()) {
  const path = fileURLToPath(new URL(`../docs/reference/${name}`, import.meta.url))
  await writeFile(path, page)
  console.log(`Wrote docs/reference/${name}`)
}
