import { createHash } from 'node:crypto'
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeCpio } from './kernels/cloud/write-cpio.ts'
import type { ChosenKernel, GuestKernel } from './machine/machine-plan.ts'

/**
 * The chosen kernel, ready to boot: where its drivers are modules, with an initial RAM file system of
 * these and the guest program, which is made once for each pair and kept in `directory`.
 */
export function withGuest(
  chosen: ChosenKernel,
  directory: string,
  guestPath: string,
): ChosenKernel {
  return async (signal) => {
    const kernel = await chosen(signal)
    return kernel.modules === undefined
      ? kernel
      : addGuest(kernel, await readFile(kernel.modules.path), directory, guestPath)
  }
}

async function addGuest(
  kernel: GuestKernel,
  modules: Buffer,
  directory: string,
  guestPath: string,
): Promise<GuestKernel> {
  const own = writeCpio([
    ...['dev', 'proc', 'run', 'sys'].map((path) => ({ path, mode: 0o755 })),
    { path: 'init', mode: 0o555, content: await readFile(guestPath) },
  ])
  // The kernel unpacks two archives in a row as if they were one.
  const whole = Buffer.concat([modules, own])
  const digest = sha256Of(whole)
  const path = join(directory, `initramfs-${digest.slice(0, 16)}.cpio`)
  await writeOnce(path, whole, directory)
  // What a snapshot depends on is both.
  const both = sha256Of(`${kernel.digest} ${digest}`)
  return { ...kernel, initramfs: path, digest: both }
}

/** Renamed into place, so that of two that make it at once neither boots half of it. */
async function writeOnce(path: string, content: Buffer, directory: string): Promise<void> {
  const there = await access(path).then(
    () => true,
    () => false,
  )
  if (there) return
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const unfinished = `${path}.${process.pid}.${performance.now()}`
  try {
    // Monitors read it as users of their own; the directory above is closed.
    await writeFile(unfinished, content, { mode: 0o444, flag: 'wx' })
    await rename(unfinished, path)
  } finally {
    await rm(unfinished, { force: true })
  }
}

const sha256Of = (content: Buffer | string): string =>
  createHash('sha256').update(content).digest('hex')
