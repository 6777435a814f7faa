import type { SandboxId } from '@aegis/core'
import type { GuestArguments } from '../guest/guest-arguments.ts'

/** A kernel that guests boot, as the kernel store keeps it. */
export interface GuestKernel {
  /** Uncompressed ELF (`vmlinux`). */
  readonly path: string
  /** SHA-256 of that file, in hex: part of what a snapshot depends on. */
  readonly digest: string
  /** Of a distribution's kernel: the archive with its drivers, which no machine boots without. */
  readonly modules?: { readonly path: string; readonly digest: string }
  /** The same with the guest as /init: what a machine boots. */
  readonly initramfs?: string
  /** What this kernel needs on its command line besides what every guest gets. */
  readonly arguments: readonly string[]
  /** It finds its disks in ACPI's tables alone; others are told on the command line. */
  readonly needsAcpi?: true
}

/** A file that the machine sees as a disk. */
export interface Disk {
  readonly path: string
  readonly readOnly: boolean
}

/**
 * The disks of every machine, in the order in which the guest expects them: /dev/vda holds the guest
 * program, /dev/vdb the image, /dev/vdc all that may be written.
 */
export interface MachineDisks {
  readonly guest: Disk
  readonly image: Disk
  readonly scratch: Disk
}

/** All that a machine is made of, whichever monitor runs it. It never has a network card. */
export interface MachinePlan {
  readonly id: SandboxId
  readonly vcpus: number
  /** Of the guest, its kernel included. */
  readonly memoryBytes: number
  readonly kernel: GuestKernel
  readonly disks: MachineDisks
  /** Thousandths of a core for the whole monitor. */
  readonly cpuMillicores: number
  /** What the guest is told on its command line; the monitor adds where its wire is. */
  readonly guest: Omit<GuestArguments, 'wire'>
  /** Whether a snapshot will be made of it: its memory is then a file from the start. */
  readonly forSnapshot: boolean
}

/** The guest's kernel as the runtime gets it: the one that the operator chose, at each boot. */
export type ChosenKernel = (signal: AbortSignal) => Promise<GuestKernel>
