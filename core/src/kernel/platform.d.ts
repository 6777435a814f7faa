// Core compiles without a DOM and without Node's types, so that no I/O can slip in. Cancellation and
// text encoding exist on every platform; this is the part of the WHATWG standards that core uses.

interface AbortSignal {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

declare const AbortSignal: {
  any(signals: readonly AbortSignal[]): AbortSignal
  abort(reason?: unknown): AbortSignal
}

interface AbortController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
}

declare const AbortController: { new (): AbortController }

declare class TextDecoder {
  constructor(label?: 'utf-8', options?: { fatal?: boolean })
  decode(input?: Uint8Array, options?: { stream?: boolean }): string
}

declare class TextEncoder {
  encode(input: string): Uint8Array
}

/** Decodes base64 to one character per byte (HTML standard, 8.3). */
declare function atob(data: string): string
