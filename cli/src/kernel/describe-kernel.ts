import type { KernelRecord } from '@aegis/daemon'

export const shortDigest = ({ digest }: KernelRecord): string => digest.slice(0, 12)

/** `libkrunfw5 5.5.0+ds-1 (pinned)`, or the operator's file. The text is not safe yet. */
export function describeOrigin({ origin }: KernelRecord): string {
  if (origin.kind === 'file') return origin.path
  const trust = origin.trust === 'pinned' ? 'pinned' : 'signed by Debian'
  return `${origin.package} ${origin.version} (${trust})`
}

/** In the words of the HTTP API's other documents. */
export function kernelToJson(record: KernelRecord): Readonly<Record<string, unknown>> {
  const { origin } = record
  return {
    digest: record.digest,
    name: record.name,
    linux: record.linux,
    size_bytes: record.sizeBytes,
    origin:
      origin.kind === 'file'
        ? { kind: 'file', path: origin.path }
        : {
            kind: 'package',
            package: origin.package,
            version: origin.version,
            url: origin.url,
            sha256: origin.digest,
            trust: origin.trust,
          },
    modules: record.modules?.names ?? [],
    fetched_at: record.fetchedAt,
  }
}
