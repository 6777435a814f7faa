import type { CommandContext } from '../program/command-context.ts'
import type { Connection } from './connect.ts'

export const scriptedModelNotice =
  'no model provider is configured, so the offline scripted provider answers; see: aegis config generate --examples'

/** Says so on stderr when answers do not come from a real model. */
export async function noteScriptedModel(
  { terminal }: Pick<CommandContext, 'terminal'>,
  { controlPlane }: Connection,
): Promise<void> {
  if (terminal.json) return
  const { scriptedModel } = await controlPlane.node.status()
  if (scriptedModel) terminal.note(`${terminal.noteStyle.warning('note:')} ${scriptedModelNotice}`)
}
