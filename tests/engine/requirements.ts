import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const places = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Capabilities without which an engine cannot mount and make namespaces, by their bit. */
const capSysAdmin = 21n
const capNetAdmin = 12n

/** Why no engine can be started here; `AEGIS_REQUIRE=docker` makes that a failure. */
export const whyNoEngine = (): string | undefined => required('docker', whyNoDocker())

/** Why gVisor cannot be tested here; `AEGIS_REQUIRE=runsc` makes that a failure. */
export const whyNoGvisor = (): string | undefined =>
  required('runsc', whyNoDocker() ?? whyNoProgram('runsc', 'runsc'))

/** Why no registry can be started here; `AEGIS_REQUIRE=registry` makes that a failure. */
export const whyNoRegistry = (): string | undefined =>
  required('registry', whyNoProgram('docker-registry', 'docker-registry'))

/** Why no micro-VM can be booted here; `AEGIS_REQUIRE=qemu` makes that a failure. */
export const whyNoQemu = (): string | undefined =>
  required(
    'qemu',
    process.arch === 'x64'
      ? (whyNoProgram('qemu-system-x86_64', 'qemu-system-x86') ??
          whyNoProgram('bwrap', 'bubblewrap') ??
          whyNoProgram('mke2fs', 'e2fsprogs') ??
          whyNoProgram('mmdebstrap', 'mmdebstrap'))
      : 'micro-VMs of QEMU run on x86-64',
  )

/** Why disks of micro-VMs cannot be looked over by EROFS's own tools; `AEGIS_REQUIRE=erofs` makes that a failure. */
export const whyNoErofsTools = (): string | undefined =>
  required('erofs', whyNoProgram('fsck.erofs', 'erofs-utils'))

/** Why a test that takes minutes is left to the night; `AEGIS_NIGHTLY=1` runs it. */
export const whyNotNow = (): string | undefined =>
  process.env.AEGIS_NIGHTLY === '1' ? undefined : 'takes minutes: run it with AEGIS_NIGHTLY=1'

/** Where Debian puts the sources of Go's packages. */
export const goPackages = '/usr/share/gocode'

/** Why Go's own verifier cannot be run here; `AEGIS_REQUIRE=go` makes that a failure. */
export const whyNoGo = (): string | undefined =>
  required(
    'go',
    whyNoProgram('go', 'golang-go') ??
      (existsSync(`${goPackages}/src/golang.org/x/mod/sumdb/tlog`)
        ? undefined
        : 'the Go packages are not installed: apt-get install golang-golang-x-mod-dev'),
  )

/** Where a program lies, also when the path of an ordinary user lacks it. */
export function programPath(name: string): string | undefined {
  const directories = [...places, ...(process.env.PATH ?? '').split(delimiter)]
  return directories.map((directory) => join(directory, name)).find(isExecutable)
}

function whyNoDocker(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may start a Docker engine'
  return (
    whyNoProgram('dockerd', 'docker.io') ??
    whyNoProgram('mmdebstrap', 'mmdebstrap') ??
    (mayMount() ? undefined : 'this machine lends root no right to mount and to make networks')
  )
}

function whyNoProgram(name: string, packageName: string): string | undefined {
  return programPath(name) ? undefined : `${name} is not installed: apt-get install ${packageName}`
}

function mayMount(): boolean {
  const held = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  const capabilities = BigInt(`0x${held ?? 0}`)
  return [capSysAdmin, capNetAdmin].every((bit) => (capabilities >> bit) & 1n)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function required(part: string, reason: string | undefined): string | undefined {
  const parts = (process.env.AEGIS_REQUIRE ?? '').split(',')
  if (reason !== undefined && parts.includes(part)) throw new Error(reason)
  return reason
}
