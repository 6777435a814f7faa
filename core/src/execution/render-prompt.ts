import Handlebars from 'handlebars'
import { AegisError } from '../kernel/aegis-error.ts'
import type { IterationRecord } from './execution.ts'

export interface PromptContext {
  readonly template: string
  readonly instruction: string
  readonly input: unknown
  /** 1 for the first. */
  readonly iteration: number
  readonly history: readonly IterationRecord[]
}

/**
 * Renders the prompt template (Handlebars). Nothing is escaped: a prompt is not HTML. A variable
 * that is not set renders as nothing.
 * @throws AegisError `invalid` / `prompt.template` when the template does not compile or render
 */
export function renderPrompt(context: PromptContext): string {
  const last = context.history.at(-1)
  try {
    const template = Handlebars.compile(context.template, { noEscape: true })
    return template({
      instruction: context.instruction,
      input: inputText(context.input),
      iteration_number: context.iteration,
      previous_error: last?.failure?.message,
      previous_output: last?.output,
    })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new AegisError(
      'invalid',
      'prompt.template',
      `spec.task.prompt_template does not render: ${reason}. Mend the template and deploy again with --replace.`,
      { cause },
    )
  }
}

/**
 * The text a template sees as `{{input}}`: a string as it is; of an object its `workflow_input` or
 * `input` where that is a string, else the object as indented JSON; anything else as JSON.
 */
export function inputText(input: unknown): string {
  if (typeof input === 'string') return input
  if (isRecord(input)) {
    for (const key of ['workflow_input', 'input']) {
      const inner = input[key]
      if (typeof inner === 'string') return inner
    }
    return Object.keys(input).length === 0 ? '' : JSON.stringify(input, undefined, 2)
  }
  return JSON.stringify(input)
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
