/** How one try of a script ended; see agents/clients.sh. */
export interface Probe {
  readonly code: number
  readonly said: string
}

/** The lines `name|exit code|what it said` of a script's output. */
export function readProbes(output: string): ReadonlyMap<string, Probe> {
  const lines = output.split('\n').flatMap((line): [string, Probe][] => {
    const [, name, code, said] = /^([\w-]+)\|(\d+)\|(.*)$/.exec(line) ?? []
    return name === undefined ? [] : [[name, { code: Number(code), said: said ?? '' }]]
  })
  return new Map(lines)
}
