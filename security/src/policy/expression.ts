import type { Expr } from './cedar.ts'

// Policies are built as Cedar's own syntax trees, so that no text of a user is ever read as Cedar.

const context: Expr = { Var: 'context' }

/** `context.a.b` */
export const attribute = (...path: readonly string[]): Expr =>
  path.reduce<Expr>((left, attr) => ({ '.': { left, attr } }), context)

export const has = (left: Expr, attr: string): Expr => ({ has: { left, attr } })

/** `context has name` */
export const contextHas = (name: string): Expr => has(context, name)

export const value = (of: string | number | boolean): Expr => ({ Value: of })

export const equal = (left: Expr, to: string | number): Expr => ({
  '==': { left, right: value(to) },
})

export const not = (arg: Expr): Expr => ({ '!': { arg } })

export const all = (first: Expr, ...more: readonly Expr[]): Expr =>
  more.reduce<Expr>((left, right) => ({ '&&': { left, right } }), first)

export const any = (first: Expr, ...more: readonly Expr[]): Expr =>
  more.reduce<Expr>((left, right) => ({ '||': { left, right } }), first)

export const choose = (test: Expr, yes: Expr, no: Expr): Expr => ({
  // biome-ignore lint/suspicious/noThenProperty: Cedar names it so.
  'if-then-else': { if: test, then: yes, else: no },
})

/** `[…].contains(left)` */
export const oneOf = (left: Expr, values: readonly (string | number)[]): Expr => ({
  contains: { left: { Set: values.map(value) }, right: left },
})

/** `left like "…"`, where a star of `pattern` stands for any text and nothing else is special. */
export const like = (left: Expr, pattern: string): Expr => ({
  like: {
    left,
    pattern: pattern
      .split(/(\*)/)
      .filter((part) => part !== '')
      .map((part) => (part === '*' ? 'Wildcard' : { Literal: part })),
  },
})

/** `left like "*…"`: ends in exactly this text, whatever it holds. */
export const endsWith = (left: Expr, text: string): Expr => ({
  like: { left, pattern: ['Wildcard', { Literal: text }] },
})

/** `left like "…*"` */
export const startsWith = (left: Expr, text: string): Expr => ({
  like: { left, pattern: [{ Literal: text }, 'Wildcard'] },
})

/** `address.isInRange(ip("…"))` */
export const inRange = (address: Expr, range: string): Expr => ({
  isInRange: [address, { ip: [value(range)] }],
})

/** `of.hasTag("name") && of.getTag("name")…` */
export const tag = (of: Expr, name: string): { readonly present: Expr; readonly value: Expr } => ({
  present: { hasTag: { left: of, right: value(name) } },
  value: { getTag: { left: of, right: value(name) } },
})
