import { readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { PolicyFile } from '@aegis/core'
import { discoverConfig, homeAt } from '@aegis/daemon'
import { policyReviewToWire } from '@aegis/http-contract'
import { readTextFile } from '../input/read-text-file.ts'
import type { CommandContext, CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { count } from '../terminal/format.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { noteProblems } from './note-problems.ts'

/** Of one file, as the node itself reads them. */
const limitBytes = 1024 * 1024

interface Options {
  readonly againstAgents?: boolean
}

export const checkPolicies: CommandHandler<Options> = async (
  context,
  paths,
  { againstAgents = false },
) => {
  const { terminal } = context
  const places = paths.length > 0 ? paths : [await ownFolder(context)]
  const files = (await Promise.all(places.map((path) => filesAt(context.cwd, path)))).flat()
  await using connection = await context.connect()
  const review = await connection.controlPlane.policies.check(files, { againstAgents })
  if (terminal.json) {
    terminal.document(policyReviewToWire(review))
  } else {
    const { problems, policies, refused } = review
    noteProblems(terminal, review)
    const what = `${count(policies, 'policy', 'policies')} in ${count(files.length, 'file')}`
    if (problems.length > 0) terminal.line(`${count(problems.length, 'error')} in ${what}`)
    else terminal.line(`${what}: no errors`)
    for (const { agent, because } of refused) {
      terminal.line(`${terminal.style.bad('refused')} ${agent}: ${sanitiseLine(because)}`)
    }
    if (againstAgents && problems.length === 0 && refused.length === 0) {
      terminal.line('Every agent that is deployed stays inside of them')
    }
  }
  if (review.problems.length > 0) return exitCodes.usage
  return review.refused.length > 0 ? exitCodes.denied : exitCodes.success
}

async function ownFolder({ settings, env, cwd }: CommandContext): Promise<string> {
  const { home, configPath } = settings
  const { config } = await discoverConfig({ explicit: configPath, env, cwd, home })
  return config.spec.security.policies ?? homeAt(home).policies
}

/** One file, or every policy file of a folder; a folder that is not there has none. */
async function filesAt(cwd: string, path: string): Promise<readonly PolicyFile[]> {
  const place = resolve(cwd, path)
  const found = await stat(place).catch(() => undefined)
  if (found?.isDirectory() !== true) {
    return [{ name: basename(place), text: await readTextFile(place, 'Policy file', limitBytes) }]
  }
  const names = (await readdir(place)).filter((name) => name.endsWith('.cedar')).toSorted()
  return Promise.all(
    names.map(async (name) => ({
      name,
      text: await readTextFile(join(place, name), 'Policy file', limitBytes),
    })),
  )
}
