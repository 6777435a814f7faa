// Core compiles without a DOM and without Node's types, so that no I/O can slip in. Cancellation is
// the one thing it shares with every platform; this is the part of the WHATWG DOM standard it uses.

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
