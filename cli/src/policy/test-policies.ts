import { resolve } from 'node:path'
import { type PolicyCase, type PolicyExplanation, parsePolicyCases } from '@aegis/core'
import { readTextFile } from '../input/read-text-file.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { count } from '../terminal/format.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import type { Terminal } from '../terminal/terminal.ts'

const limitBytes = 1024 * 1024

export const testPolicies: CommandHandler<object> = async (context, [path = '']) => {
  const { terminal } = context
  const source =
    path === '-'
      ? await context.readStdin()
      : await readTextFile(resolve(context.cwd, path), 'File of cases', limitBytes)
  const cases = parsePolicyCases(source, { file: path === '-' ? 'standard input' : path })
  await using connection = await context.connect()
  const results: Result[] = []
  for (const one of cases) {
    const found = await connection.controlPlane.policies.explain(one.agent, one.request)
    results.push({ case: one, found, passed: meets(one, found) })
  }
  const failed = results.filter(({ passed }) => !passed)
  if (terminal.json) terminal.document(results.map(toWire))
  else showResults(terminal, results)
  return failed.length === 0 ? exitCodes.success : exitCodes.general
}

interface Result {
  readonly case: PolicyCase
  readonly found: PolicyExplanation
  readonly passed: boolean
}

const meets = ({ expect, by }: PolicyCase, { allow, policies }: PolicyExplanation): boolean =>
  allow === (expect === 'allow') && (by === undefined || policies.includes(by))

const toWire = ({ case: { title, expect, by }, found, passed }: Result) => ({
  case: title,
  expect,
  ...(by !== undefined && { by }),
  passed,
  decision: found.allow ? 'allow' : 'deny',
  policies: found.policies,
  because: found.because,
})

function showResults({ line, style }: Terminal, results: readonly Result[]): void {
  for (const { case: one, found, passed } of results) {
    const title = `${sanitiseLine(one.title)}: ${one.expect}`
    if (passed) {
      line(`${style.good('ok')}    ${title}`)
      continue
    }
    const by = one.by === undefined ? '' : ` by ${sanitiseLine(one.by)}`
    line(`${style.bad('wrong')} ${title}${by}`)
    line(`      ${found.allow ? 'allowed' : 'denied'}: ${sanitiseLine(found.because)}`)
  }
  const failed = results.filter(({ passed }) => !passed).length
  const all = count(results.length, 'case')
  line(failed === 0 ? `${all}: all as expected` : `${failed} of ${all} decided otherwise`)
}
