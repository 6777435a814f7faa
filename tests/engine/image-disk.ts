import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { promisify } from 'node:util'
import { imageTar } from './image-cache.ts'
import type { ImageName } from './image-recipes.ts'

const run = promisify(execFile)

/** An image as a disk of ext4, made once for all runs, by other means than the product's own. */
export async function imageDisk(name: ImageName): Promise<string> {
  const tar = await imageTar(name)
  const disk = tar.replace(/\.tar$/, '.ext4')
  const there = await access(disk).then(
    () => true,
    () => false,
  )
  if (there) return disk
  const script = `
    [ -e "$2" ] && exit
    root=$(mktemp --directory); trap 'rm -rf "$root"' EXIT
    tar --extract --file "$1" --directory "$root"
    size=$(($(du --summarize --block-size=1M "$root" | cut -f1) * 5 / 4 + 16))
    rm -f "$2.draft"
    mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -d "$root" "$2.draft" "\${size}M"
    mv "$2.draft" "$2"`
  await run('flock', [`${disk}.lock`, 'sh', '-euc', script, 'sh', tar, disk], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
  })
  return disk
}
