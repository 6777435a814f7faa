// Runs the benchmarks (or those whose file is named: `npm run bench -- gateway`), prints their
// figures, and writes them to bench/results.md, each with the commit it was measured on.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Benchmark, Figure } from './measure.ts'

const here = dirname(fileURLToPath(import.meta.url))
const wanted = process.argv.slice(2)
const files = readdirSync(join(here, 'suites')).filter((file) => file.endsWith('.ts'))
const chosen = files.filter((file) => wanted.length === 0 || wanted.includes(file.slice(0, -3)))
if (chosen.length === 0) {
  console.error(
    `error: no such benchmark. There are: ${files.map((f) => f.slice(0, -3)).join(', ')}`,
  )
  process.exit(2)
}

const results = join(here, 'results.md')
const sections = readSections()
let missed = 0
for (const file of chosen) {
  const { benchmark }: { benchmark: Benchmark } = await import(`./suites/${file}`)
  console.log(`\n${benchmark.title}\n  ${benchmark.about}`)
  const figures = await benchmark.run()
  for (const figure of figures) console.log(`  ${line(figure)}`)
  missed += figures.filter(({ met }) => met === false).length
  sections.set(benchmark.title, section(benchmark, figures))
}
writeFileSync(results, [header(), ...sections.values()].join('\n'))
console.log('\nWritten to bench/results.md')
console.log(missed === 0 ? '\nAll goals met.' : `\n${missed} goals missed.`)

function line({ name, value, ratio, goal, met }: Figure): string {
  const parts = [name.padEnd(52), value.padStart(14)]
  parts.push(ratio === undefined ? ''.padStart(8) : `${ratio.toFixed(2)}×`.padStart(8))
  if (goal !== undefined) parts.push(`goal ${goal}: ${met ? 'met' : 'MISSED'}`)
  return parts.join('  ').trimEnd()
}

function section({ title, about }: Benchmark, figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, ratio, goal, met }) => {
    const verdict = goal === undefined ? '' : `${goal}: ${met ? 'met' : '**missed**'}`
    return `| ${name} | ${value} | ${ratio === undefined ? '' : ratio.toFixed(2)} | ${verdict} |`
  })
  const head = '| figure | median | ratio | goal |\n|---|---|---|---|'
  return `## ${title}\n\n${about}\n\n${head}\n${rows.join('\n')}\n\nMeasured ${stamp()}.\n`
}

/** What stands there of benchmarks that do not run now, by title; nothing of it once all run. */
function readSections(): Map<string, string> {
  if (wanted.length === 0) return new Map()
  const [, ...kept] = readFileSync(results, 'utf8').split(/^## /m)
  return new Map(kept.map((text) => [text.slice(0, text.indexOf('\n')), `## ${text.trimEnd()}\n`]))
}

/** When, and on which commit. */
function stamp(): string {
  const commit = git('rev-parse', '--short', 'HEAD')
  const dirty =
    git('status', '--porcelain', '--', ':!results.md') === '' ? '' : ' with local changes'
  return `on ${new Date().toISOString().slice(0, 10)} at commit ${commit}${dirty}`
}

function header(): string {
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${memory}`
  return `# Benchmark results

Written by \`npm run bench\`. Ratios carry over to other machines, milliseconds do not: each ratio
compares with a baseline that was measured in turn with it, in the same process.

Machine: ${machine}, Linux, Node.js ${process.versions.node}.
`
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: here, encoding: 'utf8' }).trim()
}
