import { z } from 'zod'
import type { TestEngine } from '../engine/test-engine.ts'

const containers = z.array(z.object({ Id: z.string(), Names: z.array(z.string()) }))
const inspection = z.object({ State: z.object({ Pid: z.int() }) })
const top = z.object({ Titles: z.array(z.string()), Processes: z.array(z.array(z.string())) })

/** A container in which the guest runs. */
export interface EngineSandbox {
  readonly sandboxId: string
  /** Of its first process, on the host. */
  readonly pid: number
  /** Of the others. */
  readonly children: readonly number[]
}

export async function runningSandboxes(engine: TestEngine): Promise<readonly EngineSandbox[]> {
  const filters = JSON.stringify({ label: ['aegis.part=sandbox'], status: ['running'] })
  const listed = await engine.call('GET', '/containers/json', { query: { filters } })
  const found = containers.parse(JSON.parse(listed)).map(async ({ Id: id, Names: [name = ''] }) => {
    try {
      const sandboxId = name.split('.')[2] ?? ''
      return [await lookAt(engine, id, sandboxId)]
    } catch {
      return [] // It ended meanwhile.
    }
  })
  return (await Promise.all(found)).flat().filter(({ pid }) => pid > 0)
}

async function lookAt(engine: TestEngine, id: string, sandboxId: string): Promise<EngineSandbox> {
  const ask = (path: string) => engine.call('GET', `/containers/${id}/${path}`)
  const { State } = inspection.parse(JSON.parse(await ask('json')))
  const { Titles, Processes } = top.parse(JSON.parse(await ask('top')))
  const column = Titles.indexOf('PID')
  const pids = Processes.map((process) => Number(process[column]))
  return { sandboxId, pid: State.Pid, children: pids.filter((pid) => pid !== State.Pid) }
}

/** Ends a process of the host, which may have ended before. True when it had not. */
export function killQuietly(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false
  }
}
