/** One thing that the lab looked at, as one line of JSON on the console of the machine. */
export type LabLine =
  | { readonly kind: 'part'; readonly name: string }
  | { readonly kind: 'skipped'; readonly name: string; readonly because: string }
  | {
      readonly kind: 'passed'
      readonly name: string
      readonly ms: number
      readonly detail?: string
    }
  | {
      readonly kind: 'failed'
      readonly name: string
      readonly ms: number
      readonly because: string
    }
  | { readonly kind: 'end'; readonly failed: number }

/** Tells the console's own words from ours. */
export const linePrefix = '@lab '

export interface LabReport {
  readonly failed: number
  part(name: string): void
  skip(name: string, because: string): void
  /** Runs one step and says how it went. Undefined when it failed. */
  step<T>(
    name: string,
    act: () => Promise<T>,
    describe?: (value: T) => string,
  ): Promise<T | undefined>
  end(): void
}

export function makeLabReport(write: (text: string) => void): LabReport {
  let failed = 0
  const say = (line: LabLine) => write(`${linePrefix}${JSON.stringify(line)}\n`)
  return {
    get failed() {
      return failed
    },
    part: (name) => say({ kind: 'part', name }),
    skip: (name, because) => say({ kind: 'skipped', name, because }),
    async step(name, act, describe = () => '') {
      const started = performance.now()
      const ms = () => Math.round(performance.now() - started)
      try {
        const value = await act()
        say({ kind: 'passed', name, ms: ms(), detail: describe(value) })
        return value
      } catch (error) {
        failed++
        say({ kind: 'failed', name, ms: ms(), because: causes(error) })
        return undefined
      }
    },
    end: () => say({ kind: 'end', failed }),
  }
}

function causes(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message} (${causes(error.cause)})`
}
