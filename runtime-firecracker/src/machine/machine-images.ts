/** An image as a machine boots from it, and what it asks for. */
export interface MachineImage extends AsyncDisposable {
  /**
   * A file that holds nothing but the image, to be attached as a read-only disk. Every user may read
   * it, since monitors run as users of their own; the directory above is closed.
   */
  readonly path: string
  /** How the guest mounts it: `erofs`, or `ext4`. */
  readonly fileSystem: 'erofs' | 'ext4'
  /** Variables of the image, beneath those of each command. */
  readonly env: Readonly<Record<string, string>>
}

/** Turns images into disks. What was opened stays as it is until it is disposed. */
export interface MachineImages {
  /**
   * By the id that the image store of the runtime gave it.
   * @throws AegisError `not-found` / `image.absent` · `unsupported` / `image.platform` ·
   * `exhausted` / `image.space`
   */
  open(id: string, signal: AbortSignal): Promise<MachineImage>
}
