// Shows AEGIS at work: a daemon on a free port with a home of its own, three agents in real
// sandboxes, what one of them was denied, and the log. Leaves nothing behind.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const home = mkdtempSync(join(tmpdir(), 'aegis-demo-'))
const paint = process.stdout.isTTY && !process.env.NO_COLOR
const bold = (text: string) => (paint ? `\u001b[1m${text}\u001b[0m` : text)
const dim = (text: string) => (paint ? `\u001b[2m${text}\u001b[0m` : text)

let interrupted = false
process.once('SIGINT', () => {
  interrupted = true
})

try {
  await show()
} finally {
  await quietly('daemon', 'stop', '--force')
  rmSync(home, { recursive: true, force: true })
}

async function show(): Promise<void> {
  chapter('A daemon of its own, on a free port, with a temporary home')
  await aegis('daemon', 'start', '--port', String(await freePort()))

  chapter('Three agents')
  for (const name of ['echo', 'greeter', 'snoop']) {
    await aegis('agent', 'deploy', `demo-agents/${name}/agent.yaml`)
  }
  await aegis('agent', 'list')

  chapter('Each task runs in a sandbox that is made for it and destroyed after it')
  await aegis('task', 'execute', 'echo', '--input', 'Hello Daemon', '--wait')
  await aegis('task', 'execute', 'greeter', '--input', 'Ada', '--wait')

  chapter('snoop tries to read your files, reach the network and eat your memory')
  await aegis('task', 'execute', 'snoop', '--wait')

  chapter('Would it have reached a database? Ask the policy before an agent tries')
  await aegisRefuses('policy', 'explain', 'snoop', 'network.connect', 'db.example.com:5432')

  chapter('What it tried is in the audit, and nobody can change that unnoticed')
  await aegis('audit', 'list', '--type', 'execution.denied', '--limit', '6')
  await aegis('audit', 'verify')

  chapter('What happened is on record')
  await aegis('task', 'list')
  await aegis('agent', 'logs', 'echo')

  chapter('That was it')
  await aegis('daemon', 'stop')
  console.log(`
The answers came from the offline scripted provider. With a model of your own:

  npx aegis config generate --examples     # writes aegis-config.yaml: name your provider in it
  npx aegis agent deploy demo-agents/greeter/agent.yaml
  npx aegis task execute greeter --input "your name" --wait
`)
}

function chapter(title: string): void {
  console.log(`\n${bold(`── ${title}`)}\n`)
}

/** Runs the real command and shows it with what it prints; ends the demo when it fails. */
function aegis(...args: string[]): Promise<void> {
  return showCommand(args, 0)
}

/** The same for a command whose answer is no. */
function aegisRefuses(...args: string[]): Promise<void> {
  return showCommand(args, 6)
}

async function showCommand(args: readonly string[], expected: number): Promise<void> {
  if (interrupted) throw new Error('Interrupted')
  console.log(dim(`$ aegis ${args.map(quoted).join(' ')}`))
  const code = await command(args, 'inherit')
  console.log()
  if (code !== expected) throw new Error(`aegis ${args.join(' ')} ended with exit code ${code}`)
}

function quietly(...args: string[]): Promise<number> {
  return command(args, 'ignore')
}

function command(args: readonly string[], output: 'inherit' | 'ignore'): Promise<number> {
  const child = spawn(process.execPath, [join(root, 'cli/bin/aegis.js'), ...args], {
    cwd: root,
    stdio: ['ignore', output, output],
    env: { ...process.env, AEGIS_HOME: home, AEGIS_CONFIG_PATH: '' },
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}

function quoted(word: string): string {
  return /^[\w./:=-]+$/.test(word) ? word : JSON.stringify(word)
}

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 8000))
    })
  })
}
