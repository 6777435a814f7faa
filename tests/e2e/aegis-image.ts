import { spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Engine } from '../engine/test-engine.ts'
import { packProduct } from './pack-product.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where the image expects a Node.js that is new enough, to be mounted. */
export const nodeInImage = '/usr/local/bin/node'

/**
 * Builds the Dockerfile without a registry and without a network: its last stage, on the image of
 * Node.js that tests have. Only the installation by npm is done in another way. Gives its reference.
 */
export async function buildAegisImage(engine: Engine): Promise<string> {
  const context = await mkdtemp(join(tmpdir(), 'aegis-image-'))
  try {
    const [base, tarball] = await Promise.all([engine.image('node'), packProduct(context)])
    await rename(tarball, join(context, 'aegis.tgz'))
    const packaging = join(context, 'packaging')
    await mkdir(packaging)
    await cp(join(root, 'packaging/node-config.yaml'), join(packaging, 'node-config.yaml'))
    const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8')
    await writeFile(join(context, 'Dockerfile'), offline(dockerfile, base))
    const body = spawn('tar', ['--create', '--directory', context, '.']).stdout
    const query = { t: 'aegis:test', networkmode: 'none', forcerm: 'true' }
    const answer = await engine.call('POST', '/build', { query, body })
    if (answer.includes('"errorDetail"')) throw new Error(`The image cannot be built:\n${answer}`)
    return 'aegis:test'
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}

const launcher = '/usr/local/lib/package/cli/bin/aegis.js'
const install = [
  'echo node:x:1000: >> /etc/group',
  'echo node:x:1000:1000::/home/node:/bin/sh >> /etc/passwd',
  'mkdir -p /usr/local/bin',
  `chmod +x ${launcher}`,
  `ln -s ${launcher} /usr/local/bin/aegis`,
  `touch ${nodeInImage}`,
]

/** Does what npm would with a package without dependencies, and makes the user of Docker Hub's image. */
function offline(dockerfile: string, base: string): string {
  const stage =
    dockerfile
      .replaceAll('\\\n', '')
      .split(/^FROM .*\n/m)
      .at(-1) ?? ''
  const kept = stage.split('\n').filter((line) => !/^COPY --from|^RUN npm install /.test(line))
  return [
    `FROM ${base}`,
    'ADD aegis.tgz /usr/local/lib/',
    `RUN ${install.join(' && ')}`,
    ...kept,
  ].join('\n')
}
