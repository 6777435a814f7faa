// Builds what is published: the command bundled into dist/, and the three C programs for this machine.
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { locateGuest, locateLauncher, locateProbe } from '@aegis/sandbox'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
const buildDirectory = join(root, 'build')

rmSync(dist, { recursive: true, force: true })
await build({
  entryPoints: { aegis: join(root, 'cli/src/main.ts') },
  outdir: dist,
  bundle: true,
  // Each command loads only what it needs.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'linked',
  // Packages in CommonJS that are bundled into a module still ask for these.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);",
  },
})
// A file of its own, which shares nothing with the command that it checks upon.
await build({
  entryPoints: { 'aegis-audit-verify': join(root, 'security/src/audit/verify-main.ts') },
  outdir: dist,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
})
putCedar()
await putProgram('guest', await locateGuest({ buildDirectory }))
await putProgram('launch', await locateLauncher({ buildDirectory }))
await putProgram('probe', await locateProbe({ buildDirectory }))
const { status } = spawnSync(process.execPath, [join(root, 'cli/bin/aegis.js'), '--version'], {
  stdio: ['ignore', 'inherit', 'inherit'],
})
process.exitCode = status ?? 1

/** The policy engine reads its program from beside its own file, so that neither is bundled. */
function putCedar(): void {
  const { resolve } = createRequire(join(root, 'security/package.json'))
  const from = dirname(resolve('@cedar-policy/cedar-wasm/nodejs'))
  const target = join(dist, 'cedar')
  mkdirSync(target)
  copyFileSync(join(from, 'cedar_wasm.js'), join(target, 'cedar_wasm.cjs'))
  copyFileSync(join(from, 'cedar_wasm_bg.wasm'), join(target, 'cedar_wasm_bg.wasm'))
}

async function putProgram(name: string, path: string): Promise<void> {
  const target = join(dist, `${name}-${arch()}`)
  copyFileSync(path, target)
  chmodSync(target, 0o755)
}
