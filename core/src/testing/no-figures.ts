import type { SandboxFigures } from '../sandbox/sandbox-figures.ts'

/** A node on which nothing boots. */
export const noFigures: SandboxFigures = {
  onMoment: () => ({ [Symbol.dispose]() {} }),
  resident: async () => [],
}
