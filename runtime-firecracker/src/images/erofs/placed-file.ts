import type { InodeBlock } from './inode-block.ts'
import { blockBytes, inodeBytes } from './on-disk.ts'
import type { ReadWindow } from './read-window.ts'
import type { ContentFile } from './tree.ts'

/** How what an image holds already is read from it; two, since inodes lie far from long contents. */
export interface ImageWindows {
  readonly contents: ReadWindow
  readonly inodes: ReadWindow
}

interface Place {
  readonly block: InodeBlock
  /** Of the inode, in its block. */
  readonly at: number
  /** First of the whole blocks. */
  readonly address: number
  readonly wholeBytes: number
}

/** A file of which an image of EROFS holds inode and content. */
export class PlacedFile implements ContentFile {
  readonly #windows: ImageWindows
  readonly #place: Place

  constructor(windows: ImageWindows, place: Place) {
    this.#windows = windows
    this.#place = place
  }

  /** Of the inode, from the beginning of the image; known once its block is full. */
  get offset(): number {
    return this.#place.block.number * blockBytes + this.#place.at
  }

  read(offset: number, bytes: number): Uint8Array | Promise<Uint8Array> {
    const { contents, inodes } = this.#windows
    const { address, wholeBytes } = this.#place
    return offset < wholeBytes
      ? contents.read(address * blockBytes + offset, Math.min(bytes, wholeBytes - offset))
      : inodes.read(this.offset + inodeBytes + offset - wholeBytes, bytes)
  }
}
