/** Remembers what was asked last; the oldest answers make room for new ones. */
export interface DecisionCache<Decision> {
  get(key: string): Decision | undefined
  set(key: string, decision: Decision): void
  clear(): void
}

export function makeDecisionCache<Decision>(most: number): DecisionCache<Decision> {
  const known = new Map<string, Decision>()
  return {
    get(key) {
      const decision = known.get(key)
      if (decision === undefined) return undefined
      known.delete(key)
      known.set(key, decision)
      return decision
    },
    set(key, decision) {
      if (known.size >= most) {
        const [oldest] = known.keys()
        if (oldest !== undefined) known.delete(oldest)
      }
      known.set(key, decision)
    },
    clear: () => known.clear(),
  }
}
