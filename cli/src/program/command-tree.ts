import type { Argument, Command, Option } from 'commander'

/** A command as the reference page and the completions need it. */
export interface CommandNode {
  /** `agent deploy`; empty for the program itself. */
  readonly path: string
  readonly description: string
  readonly arguments: readonly Argument[]
  readonly options: readonly Option[]
  readonly children: readonly CommandNode[]
}

export function commandTree(command: Command, path = ''): CommandNode {
  const help = command.createHelp()
  return {
    path,
    description: command.description(),
    arguments: command.registeredArguments,
    options: command.options.filter((option) => !option.hidden),
    children: help
      .visibleCommands(command)
      .filter((child) => child.name() !== 'help')
      .map((child) => commandTree(child, path === '' ? child.name() : `${path} ${child.name()}`)),
  }
}

/** All commands that do something, in the order of the help. */
export function leaves(node: CommandNode): readonly CommandNode[] {
  return node.children.length === 0 ? [node] : node.children.flatMap(leaves)
}
