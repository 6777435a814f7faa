import { createHash } from 'node:crypto'

/** An entry of an archive as a test writes it, hostile ones among them. */
export interface TestEntry {
  readonly path: string
  readonly type?: string
  readonly content?: Uint8Array | string
  readonly linkPath?: string
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly mtime?: number
  readonly major?: number
  readonly minor?: number
  /** What the header says of the size, where that is a lie. */
  readonly size?: number
  /** Records of an extended header before it. */
  readonly pax?: Readonly<Record<string, string>>
}

export interface TarOptions {
  readonly longNames?: 'pax' | 'gnu'
  /** Blocks of zeroes behind the last entry. */
  readonly endBlocks?: number
}

/** Writes what is said, whatever it is; paths are latin1, one character a byte. */
export function tarOf(
  entries: readonly TestEntry[],
  { longNames = 'pax', endBlocks = 2 }: TarOptions = {},
): Buffer {
  const parts = entries.flatMap((entry) => {
    const pax = { ...entry.pax }
    const before: Buffer[] = []
    const tooLong = { path: entry.path.length > 100, linkpath: (entry.linkPath ?? '').length > 100 }
    if (longNames === 'gnu') {
      if (tooLong.linkpath) before.push(...long('K', entry.linkPath ?? ''))
      if (tooLong.path) before.push(...long('L', entry.path))
    } else {
      if (tooLong.linkpath) pax.linkpath = entry.linkPath ?? ''
      if (tooLong.path) pax.path = entry.path
    }
    if ((entry.uid ?? 0) > 0o7777777) pax.uid = `${entry.uid}`
    if ((entry.gid ?? 0) > 0o7777777) pax.gid = `${entry.gid}`
    if (Object.keys(pax).length > 0)
      before.push(...member({ path: 'pax', type: 'x', content: records(pax) }))
    return [...before, ...member(entry)]
  })
  return Buffer.concat([...parts, Buffer.alloc(endBlocks * 512)])
}

const long = (type: string, text: string): Buffer[] =>
  member({ path: '././@LongLink', type, content: Buffer.from(`${text}\0`, 'latin1') })

function records(pax: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(pax).map(([key, value]) => {
      const rest = ` ${key}=${value}\n`
      let length = rest.length + 1
      while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length
      return Buffer.from(`${length}${rest}`, 'latin1')
    }),
  )
}

function member(entry: TestEntry): Buffer[] {
  const content = Buffer.from(entry.content ?? '')
  const block = Buffer.alloc(512)
  const octal = (value: number, at: number, digits: number) =>
    block.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1')
  block.write(entry.path.slice(0, 100), 0, 'latin1')
  octal(entry.mode ?? 0o644, 100, 7)
  octal(Math.min(entry.uid ?? 0, 0o7777777), 108, 7)
  octal(Math.min(entry.gid ?? 0, 0o7777777), 116, 7)
  octal(entry.size ?? content.length, 124, 11)
  octal(entry.mtime ?? 0, 136, 11)
  block.write(entry.type ?? '0', 156, 'latin1')
  block.write((entry.linkPath ?? '').slice(0, 100), 157, 'latin1')
  block.write('ustar\u000000', 257, 'latin1')
  octal(entry.major ?? 0, 329, 7)
  octal(entry.minor ?? 0, 337, 7)
  block.fill(' ', 148, 156)
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  )
  return [block, content, Buffer.alloc((512 - (content.length % 512)) % 512)]
}

export const sha256 = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

export interface TestImage {
  readonly layers: readonly Buffer[]
  readonly env?: readonly string[]
  readonly architecture?: string
  readonly names?: readonly string[]
  /** What lies in the archive for a layer; default the layer as it is. */
  readonly pack?: (layer: Buffer) => Buffer
}

export function configOf({ layers, env = [], architecture = 'amd64' }: TestImage): Buffer {
  return Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      created: '2026-01-02T03:04:05.6Z',
      config: { Env: env },
      rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
    }),
  )
}

/** An archive as Docker before 25 saves it, and Podman: a directory for each layer. */
export function dockerArchive(image: TestImage): Buffer {
  const config = configOf(image)
  const configName = `${sha256(config).slice(7)}.json`
  const layers = image.layers.map((layer, index) => ({
    path: `layer${index}/layer.tar`,
    content: (image.pack ?? ((plain) => plain))(layer),
  }))
  const manifest = [
    { Config: configName, RepoTags: image.names ?? null, Layers: layers.map(({ path }) => path) },
  ]
  return tarOf([
    ...layers,
    { path: configName, content: config },
    { path: 'manifest.json', content: JSON.stringify(manifest) },
  ])
}

/** An OCI layout, as Docker since 25 saves it too, with a manifest.json besides. */
export function layoutArchive(image: TestImage): Buffer {
  const pack = image.pack ?? ((plain: Buffer) => plain)
  const blobs = image.layers.map((layer) => pack(layer))
  const config = configOf(image)
  const describe = (bytes: Buffer, mediaType: string) => ({
    mediaType,
    digest: sha256(bytes),
    size: bytes.length,
  })
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config: describe(config, 'application/vnd.oci.image.config.v1+json'),
      layers: blobs.map((bytes) => describe(bytes, 'application/vnd.oci.image.layer.v1.tar')),
    }),
  )
  const [name] = image.names ?? []
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        ...describe(manifest, 'application/vnd.oci.image.manifest.v1+json'),
        ...(name !== undefined && { annotations: { 'io.containerd.image.name': name } }),
      },
    ],
  }
  const blob = (content: Buffer) => ({ path: `blobs/sha256/${sha256(content).slice(7)}`, content })
  return tarOf([
    { path: 'blobs/', type: '5' },
    ...[...blobs, config, manifest].map(blob),
    { path: 'index.json', content: JSON.stringify(index) },
    { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
  ])
}

/** A stream of pieces of that many bytes. */
export async function* piecesOf(bytes: Uint8Array, size = 65_536): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
