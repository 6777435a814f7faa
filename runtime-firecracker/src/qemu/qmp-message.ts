import * as z from 'zod'

/** What QEMU says on its monitor socket, one line of JSON each. */
export type QmpMessage =
  | { readonly kind: 'greeting'; readonly version: string }
  | { readonly kind: 'return'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number | undefined; readonly because: string }
  | { readonly kind: 'event'; readonly name: string; readonly data: unknown }

const name = z.string().max(200)
const words = z.string().max(2000)
const part = z.number().int().min(0).max(100_000)

const greeting = z.object({
  QMP: z.object({
    version: z.object({ qemu: z.object({ major: part, minor: part, micro: part }) }),
  }),
})
const success = z.object({ return: z.unknown(), id: z.number().int() })
const failure = z.object({
  error: z.object({ class: name, desc: words }),
  id: z.number().int().optional(),
})
const event = z.object({ event: name, data: z.unknown().optional() })

/** Undefined for what is no message of QMP: QEMU, or whoever took it over, talks nonsense. */
export function parseQmpMessage(line: string): QmpMessage | undefined {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof json !== 'object' || json === null) return undefined
  if ('QMP' in json) {
    const { data } = greeting.safeParse(json)
    if (data === undefined) return undefined
    const { major, minor, micro } = data.QMP.version.qemu
    return { kind: 'greeting', version: `${major}.${minor}.${micro}` }
  }
  if ('return' in json) {
    const { data } = success.safeParse(json)
    return data && { kind: 'return', id: data.id, value: data.return }
  }
  if ('error' in json) {
    const { data } = failure.safeParse(json)
    return data && { kind: 'error', id: data.id, because: data.error.desc }
  }
  const { data } = event.safeParse(json)
  return data && { kind: 'event', name: data.event, data: data.data }
}
