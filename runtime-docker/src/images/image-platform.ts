import * as z from 'zod'

/** What programs are built for, in Go's words: `linux`, `amd64`. */
export interface Platform {
  readonly os: string
  readonly architecture: string
}

const inspectionSchema = z.object({
  Os: z.string().catch(''),
  Architecture: z.string().catch(''),
})

/** The platform in what an engine says of an image, or by `/version` or `/info` of itself. */
export function platformOf(inspection: unknown): Platform {
  const { Os: os, Architecture: architecture } = inspectionSchema.catch(unknown).parse(inspection)
  return { os: os.toLowerCase(), architecture: goNames[architecture] ?? architecture }
}

/** Whether programs of an image run on an engine; what neither tells is no reason against it. */
export function isSamePlatform(image: Platform, engine: Platform): boolean {
  return isSame(image.os, engine.os) && isSame(image.architecture, engine.architecture)
}

const unknown = { Os: '', Architecture: '' }

const isSame = (one: string, other: string): boolean => one === '' || other === '' || one === other

/** `/info` names the machine as the kernel does. */
const goNames: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm',
  armv6l: 'arm',
  i686: '386',
}
