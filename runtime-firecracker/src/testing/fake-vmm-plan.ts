/** How one pair of doubles behaves, for a test to choose. */
export interface FakeVmmPlan {
  readonly version: string
  /** Of the jailer, when it is another. */
  readonly jailerVersion?: string
  /** The jailer says this and fails. */
  readonly jailerFails?: string
  /** Never listens on its socket. */
  readonly silent?: boolean
  /** By method and path, what it does instead of answering. */
  readonly at?: Readonly<Record<string, FakeMishap>>
  /** From so many answers to `GET /` on, it gives none. */
  readonly answersToGet?: number
  /** Program behind the wire, on its stdin and stdout. Default: it echoes. `none`: it never calls. */
  readonly guest?: readonly string[] | 'none'
}

export type FakeMishap =
  | { readonly kind: 'hang' }
  /** Ends by SIGKILL. */
  | { readonly kind: 'die' }
  | { readonly kind: 'refuse'; readonly words: string }
  /** Answers so many bytes of nothing. */
  | { readonly kind: 'flood'; readonly bytes: number }
  | { readonly kind: 'slow'; readonly ms: number }
