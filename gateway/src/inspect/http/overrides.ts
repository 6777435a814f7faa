import { type Headers, valuesOf } from './header-list.ts'
import { readPath } from './path-readings.ts'

/** As what else a server may take a request, going by headers that some frameworks obey. */
export interface Overrides {
  readonly methods: readonly string[]
  readonly paths: readonly string[]
}

/** Undefined where a header names what cannot be asked about. */
export function readOverrides(headers: Headers): Overrides | undefined {
  const methods = ofMethod
    .flatMap((name) => valuesOf(headers, name))
    .map((method) => method.trim().toUpperCase())
  if (!methods.every((method) => /^[A-Z-]{1,32}$/.test(method))) return undefined
  const paths: string[] = []
  for (const target of ofTarget.flatMap((name) => valuesOf(headers, name))) {
    const path = readPath(
      target
        .trim()
        .replace(/^https?:\/\/[^/?#]*/i, '')
        .replace(/\?.*$/, ''),
    )
    if (path === undefined) return undefined
    paths.push(path.written, ...path.lenient)
  }
  return methods.length + paths.length > most ? undefined : { methods, paths }
}

/** Honest requests have one, with its readings. */
const most = 8
const ofMethod = ['x-http-method-override', 'x-http-method', 'x-method-override']
const ofTarget = ['x-original-url', 'x-rewrite-url']
