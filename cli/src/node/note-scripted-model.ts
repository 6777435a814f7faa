import type { CommandContext } from '../program/command-context.ts'
import type { Connection } from './connect.ts'

export const scriptedModelNotice =
  'the offline scripted provider answers, from rules and not from a model; to use a model: aegis config generate --examples'

/** Says so on stderr when answers do not come from a real model. */
export async function noteScriptedModel(
  { terminal }: Pick<CommandContext, 'terminal'>,
  { controlPlane }: Connection,
): Promise<void> {
  if (terminal.json) return
  const { scriptedModel } = await controlPlane.node.status()
  if (scriptedModel) terminal.note(`${terminal.noteStyle.warning('note:')} ${scriptedModelNotice}`)
}
