import { type Command, Option } from 'commander'
import type { Dispatch } from './program.ts'

export function addKernelCommands(program: Command, dispatch: Dispatch): void {
  const kernel = program
    .command('kernel')
    .description('Look after the kernels that micro-VMs boot, in AEGIS_HOME of this machine')

  kernel
    .command('fetch')
    .description("Fetch a kernel for micro-VMs from Debian's packages, and boot it from now on")
    .addOption(
      new Option(
        '--source <source>',
        'krunfw: ready for machines; cloud: that of Debian for clouds',
      )
        .choices(['krunfw', 'cloud'])
        .default('krunfw'),
    )
    .option('--latest', 'The newest by the signature of Debian, not the one that was tested')
    .option('--mirror <url>', 'Mirror of Debian (default: http://deb.debian.org/debian)')
    .option('--keyring <file>', "Debian's keys (default: those of debian-archive-keyring)")
    .option('-q, --quiet', 'Show no progress, and print nothing but the digest')
    .action(dispatch(async () => (await import('../kernel/fetch-kernel.ts')).fetchKernel))

  kernel
    .command('list')
    .alias('ls')
    .description('List the kernels that are here, with their versions, digests and sources')
    .action(dispatch(async () => (await import('../kernel/list-kernels.ts')).listKernels))

  kernel
    .command('use')
    .argument('<kernel>', 'Digest, name, or a file: an uncompressed vmlinux for x86-64')
    .description('Have micro-VMs boot this kernel from now on')
    .action(dispatch(async () => (await import('../kernel/use-kernel.ts')).useKernel))
}
