#!/usr/bin/env node
// The first file of the `aegis` command. Plain JavaScript without dependencies, so that any Node.js
// since 18 can run it far enough to answer `--version` at once, or to find the Node.js it needs.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const oldestNode = 24
const entryPath = fileURLToPath(import.meta.url)
const source = new URL('../src/main.ts', import.meta.url)
const bundle = new URL('../../dist/aegis.js', import.meta.url)

const [first, ...others] = process.argv.slice(2)
if (others.length === 0 && (first === '--version' || first === '-V')) {
  process.stdout.write(`${version()}\n`)
} else if (Number.parseInt(process.versions.node, 10) >= oldestNode) {
  await start()
} else {
  await startWithNewerNode()
}

function version() {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}

async function start() {
  await enableCompileCache()
  const { main } = await import(existsSync(source) ? source.href : bundle.href)
  await main({ version: version(), entryPath })
}

/**
 * Keeps compiled code below AEGIS_HOME: the default, a folder in /tmp, could have been prepared by
 * another user of the machine.
 */
async function enableCompileCache() {
  const { homedir } = await import('node:os')
  const home = process.env.AEGIS_HOME || `${homedir()}/.aegis`
  if (!isOurs(home)) return
  const { enableCompileCache } = await import('node:module')
  enableCompileCache(`${home}/cache/compile`)
}

function isOurs(home) {
  try {
    const found = statSync(home)
    return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0
  } catch {
    return false // Whether it can be used at all is for the command to say.
  }
}

async function startWithNewerNode() {
  const node = await findNewerNode()
  if (node === undefined) {
    process.stderr.write(
      `error: aegis needs Node.js ${oldestNode} or later, and this is ${process.versions.node}\n` +
        'help: run `npm install` in the folder of AEGIS (it brings a Node.js of its own), or install one from https://nodejs.org\n',
    )
    process.exitCode = 1
    return
  }
  const { spawn } = await import('node:child_process')
  const child = spawn(node, [entryPath, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
    process.on(signal, () => child.kill(signal))
  }
  child.on('error', (error) => {
    process.stderr.write(`error: ${node} could not be started: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

async function findNewerNode() {
  const { createRequire } = await import('node:module')
  try {
    const name = `node-${process.platform}-${process.arch}`
    return createRequire(import.meta.url).resolve(`${name}/bin/node`)
  } catch {
    return undefined
  }
}
