import type { Command } from 'commander'
import type { Dispatch } from './program.ts'

export function addImageCommands(program: Command, dispatch: Dispatch): void {
  const image = program
    .command('image')
    .description('Look after the images that containers and micro-VMs boot from')

  image
    .command('list')
    .alias('ls')
    .description('List the images of agents and those that this node fetched')
    .option('-a, --all', 'Whatever the engine has')
    .action(dispatch(async () => (await import('../image/list-images.ts')).listImages))

  image
    .command('pull')
    .argument('<reference>', 'For example python:3.11 or ghcr.io/acme/agent:1.2')
    .description('Fetch an image, or the newer one that its tag means now')
    .option('-q, --quiet', 'Show no progress, and print nothing but the id of the image')
    .action(dispatch(async () => (await import('../image/pull-image.ts')).pullImage))

  image
    .command('build')
    .argument('[reference]', 'The image; with --from, what it will be called here')
    .description('Make the disk from which micro-VMs boot an image')
    .option(
      '--from <file>',
      'An archive with the image, as docker save writes it, or a directory with an OCI layout; - reads stdin',
    )
    .option('-q, --quiet', 'Show no progress, and print nothing but the id of the image')
    .action(dispatch(async () => (await import('../image/build-image.ts')).buildImage))

  image
    .command('prune')
    .description(
      'Remove the images that this node fetched or built, and disks, that no agent needs',
    )
    .option('-y, --yes', 'Do not ask; needed where nobody can be asked')
    .action(dispatch(async () => (await import('../image/prune-images.ts')).pruneImages))
}
