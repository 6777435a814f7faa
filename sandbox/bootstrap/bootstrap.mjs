#!/usr/bin/env node
// Sends the prompt to the agent API of its sandbox and prints the answer.
//
// The prompt arrives on standard input, or as the first argument. Needs nothing but Node.js 18.
//
// With AEGIS_BOOTSTRAP_STANDBY=1 it may be started before there is a prompt: it then waits on
// standard input for a line of JSON, {"env":{...}}, whose variables it takes over, and the prompt
// behind it.
import { request as httpRequest } from 'node:http'
import { Duplex } from 'node:stream'

const { env } = process
const standby = env.AEGIS_BOOTSTRAP_STANDBY === '1'
delete env.AEGIS_BOOTSTRAP_STANDBY
const debugging = ['true', '1', 'yes'].includes((env.AEGIS_BOOTSTRAP_DEBUG ?? '').toLowerCase())

/** What ends the bootstrap with exit code 1 and its message on standard error. */
class Failure extends Error {}

function debug(message) {
  if (debugging) process.stderr.write(`[BOOTSTRAP DEBUG] ${message}\n`)
}

/** Has Node load and compile now what the first request needs: one that goes nowhere. */
async function rehearse() {
  const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'
  const nowhere = new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      this.push(answer)
      done()
    },
  })
  const response = await post(endpoint('http://nowhere'), '{}', { createConnection: () => nowhere })
  await readAll(response)
}

/** What was piped in, once it is all there; a task that comes late brings its environment along. */
async function readTask() {
  if (standby) await rehearse()
  const piped = process.stdin.isTTY ? '' : await readAll(process.stdin)
  if (!standby) return piped
  const end = piped.indexOf('\n')
  try {
    Object.assign(env, JSON.parse(piped.slice(0, end)).env)
  } catch {
    throw new Failure('No task: standing by, it is to begin with a line of JSON.')
  }
  return piped.slice(end + 1)
}

function readPrompt(piped) {
  const prompt = piped.trim() !== '' ? piped : (process.argv[2] ?? '')
  if (prompt.trim() === '')
    throw new Failure('No prompt: give it on standard input or as the first argument.')
  return prompt.trim()
}

function readIteration() {
  const text = env.AEGIS_ITERATION ?? ''
  if (text === '') return null
  if (!/^[0-9]+$/.test(text))
    throw new Failure(`AEGIS_ITERATION must be an integer, but it is "${text}".`)
  return Number(text)
}

const asText = (value) => (typeof value === 'string' ? value : JSON.stringify(value))
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Earlier iterations as headed text, oldest first; empty without any, or when it is not JSON. */
function renderHistory() {
  let history
  try {
    history = JSON.parse(env.AEGIS_ITERATION_HISTORY || '[]')
  } catch {
    debug('AEGIS_ITERATION_HISTORY is not JSON and is ignored')
    return ''
  }
  if (!Array.isArray(history)) return ''
  const titles = { output: 'Output', error: 'Error', feedback: 'Feedback' }
  const parts = history.filter(isObject).flatMap((item) => [
    `### Iteration ${asText(item.iteration ?? '?')}`,
    ...Object.entries(titles)
      .filter(([key]) => (item[key] ?? '') !== '')
      .map(([key, title]) => `${title}:\n${asText(item[key])}`),
  ])
  if (parts.length === 0) return ''
  return `## Previous iterations\n\n${parts.join('\n\n')}\n\n## Task\n\n`
}

/** Resolves when the reader has taken it, so that a slow reader holds the answer back. */
function emit(text) {
  return new Promise((resolve) => process.stdout.write(text, resolve))
}

/** What a refusal says, in words. */
function explain(status, body) {
  let problem
  try {
    problem = JSON.parse(body)
  } catch {}
  if (isObject(problem))
    for (const key of ['detail', 'error', 'title'])
      if (typeof problem[key] === 'string') return problem[key]
  return body.trim() || `status ${status}`
}

async function readAll(stream) {
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function parseEvent(text) {
  let event
  try {
    event = JSON.parse(text)
  } catch (error) {
    throw new Failure(`The agent API sent a malformed event: ${error.message}`)
  }
  if (!isObject(event)) throw new Failure('The agent API sent a malformed event.')
  return event
}

/** Unlike node:readline, this does not take U+2028 inside a text for the end of a line. */
async function* linesOf(stream) {
  let rest = ''
  for await (const chunk of stream.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}

/** Prints the deltas of a text/event-stream as they come. */
async function printStream(response) {
  for await (const line of linesOf(response)) {
    if (!line.startsWith('data:')) continue
    const event = parseEvent(line.slice(5))
    if (typeof event.error === 'string')
      throw new Failure(`The model call failed: ${event.error} (${event.code ?? 'unknown'})`)
    if (typeof event.delta === 'string') await emit(event.delta)
    if (event.done === true) return await emit('\n')
  }
  throw new Failure('The agent API ended its answer too early.')
}

async function printAnswer(response) {
  const { statusCode, headers } = response
  if (statusCode < 200 || statusCode > 299) {
    const body = await readAll(response)
    throw new Failure(`The agent API refused the request: ${explain(statusCode, body)}`)
  }
  if ((headers['content-type'] ?? '').startsWith('text/event-stream')) {
    debug('Streaming the answer')
    return printStream(response)
  }
  const body = await readAll(response)
  let answer
  try {
    answer = JSON.parse(body)
  } catch (error) {
    throw new Failure(`The agent API answered with something that is not JSON: ${error.message}`)
  }
  const content = isObject(answer) && typeof answer.content === 'string' ? answer.content : ''
  await emit(`${content}\n`)
}

/** No time-out: how long an answer may take is the daemon's to decide. */
async function post(url, body, options) {
  const headers = {
    'content-type': 'application/json',
    accept: 'text/event-stream, application/json',
    'content-length': Buffer.byteLength(body),
  }
  const open = url.protocol === 'https:' ? (await import('node:https')).request : httpRequest
  return new Promise((resolve, reject) => {
    open(url, { ...options, method: 'POST', headers }, resolve)
      .on('error', reject)
      .end(body)
  })
}

function endpoint(base) {
  let url
  try {
    url = new URL(base)
  } catch {}
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new Failure(`AEGIS_ORCHESTRATOR_URL must be an http URL, but it is "${base}".`)
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/llm/generate`
  return url
}

async function generate(base, body) {
  const url = endpoint(base)
  debug(`POST ${base.replace(/\/+$/, '')}/api/llm/generate`)
  try {
    const response = await post(url, JSON.stringify(body))
    debug(`Status ${response.statusCode}`)
    await printAnswer(response)
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new Failure(`The agent API at ${base} cannot be reached: ${error.message || error.code}`)
  }
}

async function main() {
  const piped = await readTask()
  const base = env.AEGIS_ORCHESTRATOR_URL || 'http://127.0.0.1:8000'
  const iteration = readIteration()
  const prompt = renderHistory() + readPrompt(piped)
  debug(`Iteration ${iteration ?? '-'}, prompt of ${Buffer.byteLength(prompt)} bytes`)
  await generate(base, {
    prompt,
    execution_id: env.AEGIS_EXECUTION_ID || null,
    iteration_number: iteration,
    model: env.AEGIS_MODEL || 'default',
  })
}

process.stdout.on('error', () => process.exit(1)) // Nobody reads: there is nobody to tell either.

main().then(
  () => process.exit(), // All is written, and open connections need not keep the answer waiting.
  (error) => {
    process.stderr.write(
      error instanceof Failure ? `aegis-bootstrap: ${error.message}\n` : `${error.stack}\n`,
    )
    process.exitCode = 1
  },
)
