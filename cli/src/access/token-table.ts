import { type Scope, type TokenFacts, tokenStateAt } from '@aegis/core'
import { formatAge, formatSpan } from '../terminal/format.ts'
import type { Style } from '../terminal/style.ts'
import type { Column } from '../terminal/table.ts'

/** `api.task.*, api.agent.read; agents echo, greeter`. */
export function formatScope({ actions, agents }: Scope): string {
  const parts = [
    ...(actions === undefined ? [] : [actions.join(', ')]),
    ...(agents === undefined ? [] : [`agents ${agents.join(', ')}`]),
  ]
  return parts.join('; ')
}

/** `in 30d`, `never`, `expired 2d ago`, `revoked 3h ago`. */
export function formatEnd(token: TokenFacts, nowMs: number): string {
  const { expiresAt, revokedAt } = token
  switch (tokenStateAt(token, new Date(nowMs).toISOString())) {
    case 'revoked':
      return `revoked ${formatAge(revokedAt ?? '', nowMs)}`
    case 'expired':
      return `expired ${formatAge(expiresAt ?? '', nowMs)}`
    case 'active':
      return expiresAt === undefined
        ? 'never'
        : `in ${formatSpan(Date.parse(expiresAt) - nowMs + roundingMs)}`
  }
}

/** So that one of 90 days does not end in 89 a second later. */
const roundingMs = 60_000

export function tokenColumns(style: Style, nowMs: number): readonly Column<TokenFacts>[] {
  const isActive = (token: TokenFacts): boolean =>
    tokenStateAt(token, new Date(nowMs).toISOString()) === 'active'
  return [
    { title: 'NAME', value: ({ name }) => name, paint: style.bold },
    { title: 'ID', value: ({ id }) => id },
    { title: 'ROLE', value: ({ role }) => role },
    {
      title: 'ONLY',
      value: ({ scope }) => (scope === undefined ? '' : formatScope(scope)),
      flexible: true,
    },
    {
      title: 'ENDS',
      value: (token) => formatEnd(token, nowMs),
      paint: (text, token) => (isActive(token) ? text : style.dim(text)),
    },
    {
      title: 'USED',
      value: ({ lastUsedAt }) => (lastUsedAt === undefined ? '' : formatAge(lastUsedAt, nowMs)),
    },
    { title: 'MADE BY', value: ({ createdBy }) => createdBy, flexible: true },
  ]
}
