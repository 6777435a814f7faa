import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, readFile, realpath } from 'node:fs/promises'
import { arch } from 'node:os'
import { promisify } from 'node:util'
import { AegisError } from '@aegis/core'
import { disarm } from '../disarm.ts'

/** A QEMU that runs machines on this host. */
export interface Qemu {
  readonly path: string
  /** `7.2.22` */
  readonly version: string
  /** It can have an image of a file in its memory that it changes, without a right to write to the file. */
  readonly opensImages: boolean
}

const run = promisify(execFile)
const oldest = 502
/** Its memory backends know `rom=off`. */
const opensImagesSince = 802

/**
 * @throws AegisError `unsupported` / `qemu.absent`, `qemu.broken`, `qemu.old`, `qemu.architecture`
 */
export async function findQemu(wanted: string | undefined, signal: AbortSignal): Promise<Qemu> {
  if (arch() !== 'x64') throw otherArchitecture()
  const path = wanted ?? defaultPath
  const there = await access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
  if (!there) throw absent(path)
  const { stdout } = await run(path, ['--version'], { signal, timeout: 10_000, env: {} }).catch(
    (cause: Error) => {
      throw broken(path, cause)
    },
  )
  const [, version, major, minor] = /version ((\d+)\.(\d+)\.\d+)/.exec(stdout) ?? []
  if (version === undefined) throw broken(path, new Error(`it calls itself ${stdout}`))
  const release = Number(major) * 100 + Number(minor)
  if (release < oldest)
    throw new AegisError(
      'unsupported',
      'qemu.old',
      `${path} is QEMU ${version}; micro-VMs need 5.2 or later. Update the package qemu-system-x86`,
    )
  return { path: await realpath(path), version, opensImages: release >= opensImagesSince }
}

/** Of the host's time stamp counter, by what the kernel calls the processor's speed. */
export async function readTscKhz(): Promise<number | undefined> {
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  const megahertz = Number(/^cpu MHz\s*:\s*([\d.]+)$/m.exec(text)?.[1])
  return Number.isFinite(megahertz) && megahertz > 0 ? Math.round(megahertz * 1000) : undefined
}

/** The model of the processor, which a snapshot depends on. */
export async function readProcessorModel(): Promise<string> {
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  return /^model name\s*:\s*(.+)$/m.exec(text)?.[1] ?? 'unknown processor'
}

const defaultPath = '/usr/bin/qemu-system-x86_64'

const absent = (path: string): AegisError =>
  new AegisError(
    'unsupported',
    'qemu.absent',
    `QEMU is not at ${path}. Install it (apt-get install --no-install-recommends qemu-system-x86), or say where it is (spec.runtime.firecracker.qemu_path)`,
  )

const broken = (path: string, cause: Error): AegisError =>
  new AegisError(
    'unsupported',
    'qemu.broken',
    `${path} does not say its version: ${disarm(cause.message)}. Install QEMU again (apt-get install --reinstall qemu-system-x86)`,
    { cause },
  )

const otherArchitecture = (): AegisError =>
  new AegisError(
    'unsupported',
    'qemu.architecture',
    `Micro-VMs of QEMU run on x86-64, and this machine is ${arch()}. Use spec.runtime.isolation: process or docker`,
  )
