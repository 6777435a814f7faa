import { AegisError, type PolicyExplanation, parseAgentRequest } from '@aegis/core'
import { policyExplanationToWire } from '@aegis/http-contract'
import type { CommandHandler } from '../program/command-context.ts'
import { type ExitCode, exitCodes } from '../program/exit-code.ts'
import { sanitise, sanitiseLine } from '../terminal/sanitise.ts'
import type { Terminal } from '../terminal/terminal.ts'

interface Options {
  readonly method?: string
  readonly path?: string
  readonly header?: Readonly<Record<string, string>>
}

export const explainPolicy: CommandHandler<Options> = async (
  context,
  [agent = '', action = '', resource = ''],
  { method, path, header: headers },
) => {
  const request = parseAgentRequest({ action, resource, method, path, headers })
  if ('message' in request) {
    throw new AegisError('invalid', 'policy.question', `${request.message} ${request.remedy}`)
  }
  const { terminal } = context
  await using connection = await context.connect()
  const found = await connection.controlPlane.policies.explain(agent, request)
  if (terminal.json) terminal.document(policyExplanationToWire(found))
  else showExplanation(terminal, found)
  return codeOf(found)
}

const codeOf = ({ allow }: PolicyExplanation): ExitCode =>
  allow ? exitCodes.success : exitCodes.denied

function showExplanation(
  { line, style }: Terminal,
  { allow, because, deciding }: PolicyExplanation,
): void {
  line(`${allow ? style.good('allowed') : style.bad('denied')}  ${sanitiseLine(because)}`)
  for (const { id, source, text } of deciding) {
    line(`\n${style.bold(sanitiseLine(id))}  ${style.dim(sanitiseLine(source))}`)
    for (const part of sanitise(text).split('\n')) line(`  ${part}`)
  }
}
