import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface LabDiskParts {
  /** Name below /lab, and the file that goes there. */
  readonly files: Readonly<Record<string, string>>
  readonly kernel: object
}

/** Debian packages of the machine that runs machines: no more than both monitors need. */
const packages = [
  ...['base-files', 'base-passwd', 'libc-bin', 'dash', 'coreutils', 'mount', 'util-linux'],
  ...['e2fsprogs', 'bubblewrap', 'qemu-system-x86', 'libstdc++6'],
]

/** Debian packages of the image that agents' machines boot. */
const imagePackages = [
  ...['base-files', 'base-passwd', 'libc-bin', 'dash', 'coreutils', 'python3-minimal'],
]

/** Unpacks Debian packages; nothing of them is run. */
export async function makeRoot(
  directory: string,
  which: 'machine' | 'image',
  mirror: string,
  signal: AbortSignal,
): Promise<void> {
  await rm(directory, { recursive: true, force: true })
  const include = `--include=${(which === 'machine' ? packages : imagePackages).join(',')}`
  await run(
    'mmdebstrap',
    ['--variant=extract', '--quiet', include, 'bookworm', `${directory}.tar`, mirror],
    { signal, maxBuffer: 16 << 20 },
  )
  await mkdir(directory, { recursive: true })
  await run('tar', ['-xf', `${directory}.tar`, '-C', directory], { signal })
}

/** Puts the project into a root directory, and makes a disk of it. */
export async function makeLabDisk(
  root: string,
  diskPath: string,
  parts: LabDiskParts,
  signal: AbortSignal,
): Promise<void> {
  const lab = join(root, 'lab')
  await mkdir(join(lab, 'bin'), { recursive: true })
  for (const [name, path] of Object.entries(parts.files)) await copyFile(path, join(lab, name))
  await copyFile(process.execPath, join(lab, 'bin', 'node'))
  await bundle(join(lab, 'main.mjs'), signal)
  await writeFile(join(lab, 'kernel.json'), JSON.stringify(parts.kernel))
  await writeFile(join(lab, 'init'), init)
  await chmod(join(lab, 'init'), 0o755)
  await rm(diskPath, { force: true })
  await run('mke2fs', ['-q', '-t', 'ext4', '-d', root, diskPath, '3G'], { signal })
}

/** All of the project that runs inside, as one file. */
async function bundle(output: string, signal: AbortSignal): Promise<void> {
  const esbuild = createRequire(import.meta.url).resolve('esbuild/bin/esbuild')
  const input = join(import.meta.dirname, 'inside', 'main.ts')
  await run(
    esbuild,
    [
      ...['--bundle', '--platform=node', '--format=esm', '--target=node24'],
      // Some of what is bundled asks for Node's own modules the old way.
      `--banner:js=import { createRequire } from 'node:module'; const require = createRequire('/');`,
      ...[`--outfile=${output}`, input],
    ],
    { signal },
  )
}

/** At the end of its first process the machine panics, which resets it: QEMU exits. */
const init = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmp /dev/shm
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t cgroup2 cgroup /sys/fs/cgroup
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
exec < /dev/null > /dev/hvc0 2>&1
/lab/bin/node --disable-warning=ExperimentalWarning /lab/main.mjs
`
