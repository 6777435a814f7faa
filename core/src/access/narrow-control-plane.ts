import type { ControlPlane } from '../control-plane.ts'

/**
 * The same node with lists that show nothing of agents other than these. Whoever names another one
 * is refused before: see `requireAgent`.
 */
export function narrowControlPlane(plane: ControlPlane, names: readonly string[]): ControlPlane {
  const isShown = (name: string): boolean => names.includes(name)
  const { agents, executions, images, sandboxes } = plane

  return {
    ...plane,
    agents: {
      ...agents,
      list: async () => (await agents.list()).filter(({ name }) => isShown(name)),
    },
    executions: {
      ...executions,
      async list(filter) {
        if (filter.agentRef !== undefined) return executions.list(filter)
        const there = (await agents.list()).filter(({ name }) => isShown(name))
        const lists = there.map(({ name }) => executions.list({ ...filter, agentRef: name }))
        return (await Promise.all(lists))
          .flat()
          .toSorted((a, b) => (a.queuedAt < b.queuedAt ? 1 : -1))
          .slice(0, filter.limit ?? defaultLimit)
      },
    },
    images: {
      ...images,
      async list(options) {
        const all = await images.list(options)
        return all
          .map((image) => ({ ...image, agents: image.agents.filter(isShown) }))
          .filter((image) => image.agents.length > 0)
      },
    },
    sandboxes: {
      list: async (signal) =>
        (await sandboxes.list(signal)).filter(({ agentName }) => isShown(agentName)),
      async *events(signal) {
        for await (const event of sandboxes.events(signal)) {
          if (isShown(event.agentName)) yield event
        }
      },
    },
  }
}

/** As `ExecutionControl.list` has it. */
const defaultLimit = 20
