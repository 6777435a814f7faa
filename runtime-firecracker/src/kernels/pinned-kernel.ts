import type { IndexedPackage } from './debian/find-packages.ts'

/** A package that this release of AEGIS was tested with, and the kernel that comes out of it. */
export interface PinnedKernel {
  readonly suite: string
  readonly package: Omit<IndexedPackage, 'depends'>
  /** SHA-256 of the vmlinux. */
  readonly digest: string
  /** When the distribution's index named it: no older index is believed. */
  readonly since: Date
}

/** Linux 6.12.91 with all that a micro-VM needs built in, made for libkrun. */
export const pinnedKrunfw: PinnedKernel = {
  suite: 'sid',
  package: {
    name: 'libkrunfw5',
    version: '5.5.0+ds-1',
    path: 'pool/main/libk/libkrunfw/libkrunfw5_5.5.0+ds-1_amd64.deb',
    sizeBytes: 6_625_300,
    sha256: '20c37f213b618690422dd6c16e7c0a605e568c1e89447e2c7e9e6e44563f1fde',
  },
  digest: '2a0593e709ac62306325dad8a83e0a9e9cffc6024b02e9275b38af0c1dbff981',
  since: new Date('2026-10-30T08:08:01Z'),
}

/**
 * Linux 6.1, of a line that Firecracker supports, with Debian's care for its security. Its drivers are
 * modules.
 */
export const pinnedCloud: PinnedKernel = {
  suite: 'bookworm',
  package: {
    name: 'linux-image-6.1.0-50-cloud-amd64',
    version: '6.1.176-1',
    path: 'pool/main/l/linux-signed-amd64/linux-image-6.1.0-50-cloud-amd64_6.1.176-1_amd64.deb',
    sizeBytes: 26_484_304,
    sha256: 'efe19f605b6f54a8352e68d85a629abb2d30b72a085faef603a9152590baa791',
  },
  digest: '004ff15e4919bfb4e1569e8b87f48a85d4ede9658c6eefffd8a21d5199f26aba',
  since: new Date('2026-07-11T10:16:37Z'),
}
