import type { AuditFinding } from './audit-report.ts'

const maxFindings = 100

/** Gathers what is wrong; of neighbours with the same trouble it makes one finding. */
export interface FindingList {
  add(finding: AuditFinding): void
  readonly count: number
  /** In the order of their entries, those of no entry first. */
  readonly all: readonly AuditFinding[]
}

export function makeFindingList(): FindingList {
  const findings: AuditFinding[] = []
  let count = 0
  return {
    add(finding) {
      count += 1
      const last = findings.at(-1)
      if (last !== undefined && isNext(last, finding)) {
        findings[findings.length - 1] = { ...last, through: finding.through ?? finding.index }
      } else if (findings.length < maxFindings) findings.push(finding)
    },
    get count() {
      return count
    },
    get all() {
      return findings.toSorted((a, b) => (a.index ?? -1) - (b.index ?? -1))
    },
  }
}

const isNext = (last: AuditFinding, next: AuditFinding): boolean =>
  last.code === next.code &&
  last.index !== undefined &&
  next.index === (last.through ?? last.index) + 1
