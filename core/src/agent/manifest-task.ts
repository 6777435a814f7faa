import * as z from 'zod'
import { knownKeys, line, longText, report } from '../kernel/field.ts'

const command = z
  .tuple([line()], longText())
  .refine((argv) => argv.length <= 1000, {
    params: { remedy: 'Use at most 1000.' },
    error: 'It has too many arguments.',
  })
  .describe('An argv that replaces the bootstrap script. The rendered prompt arrives on its stdin')

export const taskSchema = knownKeys({
  agentskills: z.array(line()).max(100).default([]).describe('Names of skills; kept, not used yet'),
  instruction: longText()
    .optional()
    .describe('What the agent is for; `{{instruction}}` in the template'),
  prompt_template: longText()
    .optional()
    .meta({ default: '{{instruction}}\n\n{{input}}' })
    .describe(
      'Handlebars: `{{instruction}}`, `{{input}}`, `{{iteration_number}}`, `{{previous_error}}`, `{{previous_output}}`. Nothing is escaped',
    ),
  command: command.optional(),
  input_data: z.unknown().optional().describe('Any data; kept, not used yet'),
})
  .superRefine(({ instruction, prompt_template, command }, context) => {
    if ((instruction ?? prompt_template ?? command) !== undefined) return
    report(context, {
      message: 'The agent has nothing to do.',
      remedy:
        'Add instruction: (what the bootstrap tells the model) or command: (an argv that runs instead) below spec.task.',
    })
  })
  .transform((task) =>
    task.prompt_template === undefined && task.command === undefined
      ? { ...task, prompt_template: '{{instruction}}\n\n{{input}}' }
      : task,
  )
