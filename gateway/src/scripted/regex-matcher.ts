import { createContext, Script } from 'node:vm'
import { limits } from '../limits.ts'

const search = new Script('pattern.exec(text)')

/**
 * Searches a text that an agent wrote for a pattern that an operator wrote. Neither may know that
 * together they take forever, so each search has a time: V8 interrupts it, which nothing but its
 * script runner offers. A search that takes too long finds nothing and is reported.
 */
export function makeRegexMatcher(
  pattern: RegExp,
  onTimeout: () => void,
  timeoutMs: number = limits.ruleMatchMs,
): (text: string) => RegExpExecArray | undefined {
  const context = createContext({ pattern, text: '' })
  return (text) => {
    context.text = text
    try {
      const found: RegExpExecArray | null = search.runInContext(context, { timeout: timeoutMs })
      return found ?? undefined
    } catch {
      onTimeout()
      return undefined
    } finally {
      context.text = ''
    }
  }
}
