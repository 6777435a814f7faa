import type { Command } from 'commander'
import { type CommandNode, commandTree } from './command-tree.ts'

export type Shell = 'bash' | 'zsh' | 'fish'

/** A script that teaches a shell the commands and flags of `program`. */
export function completionScript(program: Command, shell: Shell): string {
  const tree = commandTree(program)
  switch (shell) {
    case 'bash':
      return bashScript(tree)
    case 'zsh':
      return `#compdef aegis\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(tree)}`
    case 'fish':
      return fishScript(tree)
  }
}

/** What may follow each command: its children or choices, and its flags with those of all commands. */
function wordsOf(tree: CommandNode): ReadonlyMap<string, readonly string[]> {
  const words = new Map<string, readonly string[]>()
  const globals = flagsOf(tree)
  const visit = (node: CommandNode): void => {
    const choices = node.arguments.flatMap((argument) => argument.argChoices ?? [])
    const flags = node === tree ? globals : [...flagsOf(node), ...globals]
    words.set(node.path, [...node.children.map(lastWord), ...choices, ...flags, '--help'])
    node.children.forEach(visit)
  }
  visit(tree)
  return words
}

function flagsOf(node: CommandNode): readonly string[] {
  return node.options.flatMap((option) => option.long ?? [])
}

/** What may follow a flag: `--isolation process`. */
function choicesOf(tree: CommandNode): ReadonlyMap<string, readonly string[]> {
  const choices = new Map<string, readonly string[]>()
  const visit = (node: CommandNode): void => {
    for (const { long, argChoices } of node.options) {
      if (long && argChoices !== undefined) choices.set(long, argChoices)
    }
    node.children.forEach(visit)
  }
  visit(tree)
  return choices
}

function bashScript(tree: CommandNode): string {
  const words = [...wordsOf(tree)].map(
    ([path, all]) => `    '${path}') words='${all.join(' ')}' ;;`,
  )
  const choices = [...choicesOf(tree)].map(
    ([flag, all]) =>
      `    ${flag}) COMPREPLY=($(compgen -W '${all.join(' ')}' -- "$current")); return ;;`,
  )
  const groups = [tree, ...tree.children].filter((node) => node.children.length > 0)
  const parents = groups.map((node) => `'${node.path}'`).join('|')
  return `_aegis() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} path='' word words=''
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in -*) continue ;; esac
    case $path in
      ${parents}) path=\${path:+$path }$word ;;
    esac
  done
  case $previous in
${choices.join('\n')}
  esac
  case $path in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _aegis aegis
`
}

function fishScript(tree: CommandNode): string {
  const lines = ['complete -c aegis -f']
  const add = (condition: string, rest: string) =>
    lines.push(`complete -c aegis -n '${condition}' ${rest}`)
  for (const option of tree.options) add('true', fishOption(option))
  const visit = (node: CommandNode): void => {
    const words = node.path.split(' ').filter(Boolean)
    const here = words.map((word) => `__fish_seen_subcommand_from ${word}`)
    const below = node.children.map(lastWord).join(' ')
    if (below !== '') {
      const condition = [...here, `not __fish_seen_subcommand_from ${below}`].join('; and ')
      for (const child of node.children) {
        add(condition, `-a ${lastWord(child)} -d ${quote(child.description)}`)
      }
    }
    if (node !== tree) {
      for (const option of node.options) add(here.join('; and '), fishOption(option))
      for (const choice of node.arguments.flatMap((argument) => argument.argChoices ?? [])) {
        add(here.join('; and '), `-a ${choice}`)
      }
      if (node.arguments.length > 0 && node.path.endsWith('deploy')) add(here.join('; and '), '-F')
    }
    node.children.forEach(visit)
  }
  visit(tree)
  return `${lines.join('\n')}\n`
}

function fishOption(option: CommandNode['options'][number]): string {
  return [
    ...(option.short ? [`-s ${option.short.slice(1)}`] : []),
    ...(option.long ? [`-l ${option.long.slice(2)}`] : []),
    ...(option.required ? ['-r'] : []),
    ...(option.argChoices === undefined ? [] : [`-a '${option.argChoices.join(' ')}'`]),
    `-d ${quote(option.description)}`,
  ].join(' ')
}

const lastWord = (node: CommandNode): string => node.path.split(' ').at(-1) ?? ''

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
