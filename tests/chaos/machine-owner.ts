import { type MachinePlan, openFirecrackerMonitor } from '@aegis/runtime-firecracker'

type Options = Parameters<typeof openFirecrackerMonitor>[0]

/** What a parent sends. */
export interface OwnedMachines {
  readonly options: Options
  readonly plans: readonly MachinePlan[]
  /** Begins to make one of the first of them here, once they run. */
  readonly snapshot?: string
}

/** Owns machines of Firecracker, says so to its parent when they run, and waits to be killed. */
process.once('message', async ({ options, plans, snapshot }: OwnedMachines) => {
  const never = new AbortController().signal
  const monitor = await openFirecrackerMonitor(options, never)
  const machines = await Promise.all(plans.map((plan) => monitor.boot(plan, never)))
  if (snapshot !== undefined) void machines[0]?.snapshot(snapshot, never)
  process.send?.('ready')
})
