import type { PolicySummary } from '@aegis/core'
import { loadCedar } from './cedar.ts'
import type { CompiledPolicy } from './compiled-policy.ts'

/** A policy as users see it. */
export function summarise(
  { id, effect, source, actions, json, text }: CompiledPolicy,
  agent?: string,
): PolicySummary {
  return {
    id,
    ...(agent !== undefined && { agent }),
    effect,
    source,
    actions,
    text: text ?? textOf(json),
  }
}

function textOf(json: CompiledPolicy['json']): string {
  const cedar = loadCedar()
  const written = cedar.policyToText(json)
  if (written.type === 'failure') return JSON.stringify(json)
  const formatted = cedar.formatPolicies({
    policyText: written.text,
    lineWidth: 80,
    indentWidth: 2,
  })
  return formatted.type === 'success' ? formatted.formatted_policy.trim() : written.text
}
