import type { ImageConfig } from './archive/image-documents.ts'

/** What Docker itself sets where an image sets none. */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** What AEGIS alone tells an agent. */
const ownVariables = 'AEGIS_'

/** The variables of an image, as a container of it would have them. */
export function environmentOf({ config }: ImageConfig): Readonly<Record<string, string>> {
  const pairs = (config?.Env ?? []).flatMap((line): [string, string][] => {
    const at = line.indexOf('=')
    const usable = at > 0 && !line.includes('\0') && !line.startsWith(ownVariables)
    return usable ? [[line.slice(0, at), line.slice(at + 1)]] : []
  })
  return { PATH: defaultPath, ...Object.fromEntries(pairs) }
}
