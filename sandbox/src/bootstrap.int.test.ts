import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { bootstrapFor } from './bootstrap.ts'

interface Asked {
  readonly url: string | undefined
  readonly accept: string | undefined
  readonly body: Record<string, unknown>
}

type Answer = (response: ServerResponse, request: IncomingMessage) => void

const json =
  (body: unknown, status = 200): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
const events =
  (...data: unknown[]): Answer =>
  async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    for (const one of data) {
      response.write(`data: ${typeof one === 'string' ? one : JSON.stringify(one)}\n\n`)
      await new Promise(setImmediate)
    }
    response.end()
  }

interface Run {
  readonly answer?: Answer
  readonly prompt?: string
  readonly argument?: string
  readonly env?: Record<string, string>
}

const directory = join(import.meta.dirname, '..', 'bootstrap')
const hasPython = spawnSync('python3', ['--version']).status === 0
if (!hasPython && (process.env.AEGIS_REQUIRE ?? '').split(',').includes('python'))
  throw new Error('python3 is missing')

async function run(argv: readonly [string, ...string[]], options: Run) {
  const asked: Asked[] = []
  const server = createServer(async (request, response) => {
    asked.push({
      url: request.url,
      accept: request.headers.accept,
      body: JSON.parse(await text(request)),
    })
    ;(options.answer ?? json({ content: 'fine' }))(response, request)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const [program, ...rest] = argv
  const child = spawn(
    program,
    [...rest, ...(options.argument === undefined ? [] : [options.argument])],
    {
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        AEGIS_ORCHESTRATOR_URL: `http://127.0.0.1:${port}`,
        ...options.env,
      },
    },
  )
  child.stdin.on('error', () => {})
  child.stdin.end(options.prompt ?? '')
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  server.closeAllConnections()
  server.close()
  return { stdout, stderr, code, asked }
}

const scripts = [
  ['python', ['python3', join(directory, 'bootstrap.py')]],
  ['javascript', [process.execPath, join(directory, 'bootstrap.mjs')]],
] as const

describe.each(scripts)('the bootstrap in %s', (language, argv) => {
  const skip = language === 'python' && !hasPython
  const test = it.skipIf(skip)
  const go = (options: Run) => run(argv, options)

  test('sends the prompt from stdin and prints the content exactly, plus a newline', async () => {
    const content = '  “quoted” & <b>\\n\n\ttail  '
    const { stdout, stderr, code, asked } = await go({
      prompt: '  What is 1 < 2 & "so"?\n',
      answer: json({ content, usage: {} }),
      env: { AEGIS_EXECUTION_ID: 'e-1', AEGIS_ITERATION: '2', AEGIS_MODEL: 'smart' },
    })
    expect({ stdout, stderr, code }).toEqual({ stdout: `${content}\n`, stderr: '', code: 0 })
    expect(asked).toEqual([
      {
        url: '/api/llm/generate',
        accept: expect.stringContaining('text/event-stream'),
        body: {
          prompt: 'What is 1 < 2 & "so"?',
          execution_id: 'e-1',
          iteration_number: 2,
          model: 'smart',
        },
      },
    ])
  })

  test('takes the prompt from its argument when stdin is empty, and has defaults', async () => {
    const { asked, code } = await go({ argument: 'hello' })
    expect(code).toBe(0)
    expect(asked[0]?.body).toEqual({
      prompt: 'hello',
      execution_id: null,
      iteration_number: null,
      model: 'default',
    })
  })

  test('prefers stdin to its argument', async () => {
    const { asked } = await go({ prompt: 'from stdin', argument: 'from argv' })
    expect(asked[0]?.body.prompt).toBe('from stdin')
  })

  test('takes a prompt of two megabytes', async () => {
    const prompt = 'ü'.repeat(1 << 20)
    const { asked } = await go({ prompt })
    expect(asked[0]?.body.prompt).toBe(prompt)
  })

  test('prints an answer as it streams', async () => {
    const { stdout, code } = await go({
      prompt: 'x',
      answer: events(
        { delta: 'Hel' },
        { delta: 'lo' },
        { delta: ' w\u2028ö\rld\n' },
        { done: true },
      ),
    })
    expect({ stdout, code }).toEqual({ stdout: 'Hello w\u2028ö\rld\n\n', code: 0 })
  })

  test('fails when the stream carries an error, after what it has printed', async () => {
    const { stdout, stderr, code } = await go({
      prompt: 'x',
      answer: events({ delta: 'Hel' }, { error: 'quota exceeded', code: 'llm.quota' }),
    })
    expect({ stdout, stderr, code }).toEqual({
      stdout: 'Hel',
      stderr: 'aegis-bootstrap: The model call failed: quota exceeded (llm.quota)\n',
      code: 1,
    })
  })

  test('fails when the stream ends too early or holds no JSON', async () => {
    const cut = await go({ prompt: 'x', answer: events({ delta: 'Hel' }) })
    expect(cut).toMatchObject({
      stderr: 'aegis-bootstrap: The agent API ended its answer too early.\n',
      code: 1,
    })
    const broken = await go({ prompt: 'x', answer: events('{oops') })
    expect(broken.code).toBe(1)
    expect(broken.stderr).toMatch(/^aegis-bootstrap: The agent API sent a malformed event/)
  })

  test('fails when the connection breaks in the middle', async () => {
    const { stderr, code } = await go({
      prompt: 'x',
      answer: (response, request) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('data: {"delta":"a"}\n\n')
        setImmediate(() => request.socket.destroy())
      },
    })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^aegis-bootstrap: The agent API .*\n$/)
  })

  test.each([
    [
      'detail',
      { type: 'about:blank', title: 'Bad', detail: 'No such model', error: 'x' },
      'No such model',
    ],
    ['error', { error: 'No key', code: 'llm.key' }, 'No key'],
    ['body', 'plain words', '"plain words"'],
  ])('prints the %s of a refusal on stderr', async (_what, body, words) => {
    const { stdout, stderr, code } = await go({ prompt: 'x', answer: json(body, 503) })
    expect({ stdout, stderr, code }).toEqual({
      stdout: '',
      stderr: `aegis-bootstrap: The agent API refused the request: ${words}\n`,
      code: 1,
    })
  })

  test('puts earlier iterations before the prompt', async () => {
    const { asked } = await go({
      prompt: 'Do it',
      env: {
        AEGIS_ITERATION_HISTORY: JSON.stringify([
          { iteration: 1, output: 'one', error: 'bad', feedback: 'shorter', exit_code: 1 },
          { iteration: 2, output: { a: [1, 'ü'] }, error: null },
          'not an item',
        ]),
      },
    })
    expect(asked[0]?.body.prompt).toBe(
      [
        '## Previous iterations',
        ...['### Iteration 1', 'Output:\none', 'Error:\nbad', 'Feedback:\nshorter'],
        ...['### Iteration 2', 'Output:\n{"a":[1,"ü"]}', '## Task', 'Do it'],
      ].join('\n\n'),
    )
  })

  test.each([
    '',
    'not json',
    '{}',
    '[]',
    '[1, null]',
  ])('ignores the history %j', async (history) => {
    const { asked, stderr } = await go({
      prompt: 'Do it',
      env: { AEGIS_ITERATION_HISTORY: history },
    })
    expect(asked[0]?.body.prompt).toBe('Do it')
    expect(stderr).toBe('')
  })

  test('prints an empty line when the answer has no content', async () => {
    expect(await go({ prompt: 'x', answer: json({}) })).toMatchObject({ stdout: '\n', code: 0 })
  })

  test.each([
    [
      'an empty prompt',
      { prompt: ' \n' },
      'No prompt: give it on standard input or as the first argument.',
    ],
    [
      'an iteration that is no integer',
      { prompt: 'x', env: { AEGIS_ITERATION: '1.5' } },
      'AEGIS_ITERATION must be an integer, but it is "1.5".',
    ],
    [
      'a URL that is none',
      { prompt: 'x', env: { AEGIS_ORCHESTRATOR_URL: 'ftp://x' } },
      'AEGIS_ORCHESTRATOR_URL must be an http URL, but it is "ftp://x".',
    ],
  ])('ends with exit code 1 and a plain message on %s', async (_what, options, message) => {
    const { stdout, stderr, code } = await go(options)
    expect({ stdout, stderr, code }).toEqual({
      stdout: '',
      stderr: `aegis-bootstrap: ${message}\n`,
      code: 1,
    })
  })

  test('says what it cannot reach', async () => {
    const env = { AEGIS_ORCHESTRATOR_URL: 'http://127.0.0.1:1' }
    const { stderr, code } = await go({ prompt: 'x', env })
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^aegis-bootstrap: The agent API at http:\/\/127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED|refused/,
    )
  })

  test('stands by for its task, which brings its environment, and then does as ever', async () => {
    const late = {
      AEGIS_EXECUTION_ID: 'e-1',
      AEGIS_ITERATION: '2',
      AEGIS_ITERATION_HISTORY: '[{"iteration":1,"output":"one\\ntwo"}]',
    }
    const { stdout, stderr, code, asked } = await go({
      prompt: `${JSON.stringify({ env: late })}\n  Do it,\nall “ü” of it\n`,
      env: { AEGIS_BOOTSTRAP_STANDBY: '1', AEGIS_MODEL: 'smart' },
    })
    expect({ stdout, stderr, code }).toEqual({ stdout: 'fine\n', stderr: '', code: 0 })
    expect(asked[0]?.body).toEqual({
      prompt:
        '## Previous iterations\n\n### Iteration 1\n\nOutput:\none\ntwo\n\n## Task\n\nDo it,\nall “ü” of it',
      execution_id: 'e-1',
      iteration_number: 2,
      model: 'smart',
    })
  })

  test.each([
    ['nothing', ''],
    ['no JSON', 'hello\nprompt'],
    ['no environment', 'null\nprompt'],
  ])('ends with a plain message when it stood by and was given %s', async (_what, prompt) => {
    const { stderr, code, asked } = await go({ prompt, env: { AEGIS_BOOTSTRAP_STANDBY: '1' } })
    expect({ stderr, code, asked }).toEqual({
      stderr: 'aegis-bootstrap: No task: standing by, it is to begin with a line of JSON.\n',
      code: 1,
      asked: [],
    })
  })

  test('asks for a prompt also when it stood by', async () => {
    const { stderr, code } = await go({
      prompt: '{"env":{}}\n \n',
      env: { AEGIS_BOOTSTRAP_STANDBY: '1' },
    })
    expect({ stderr, code }).toEqual({
      stderr: 'aegis-bootstrap: No prompt: give it on standard input or as the first argument.\n',
      code: 1,
    })
  })

  test.each([
    'true',
    '1',
    'yes',
  ])('says on stderr what it does when debugging is %s', async (on) => {
    const { stdout, stderr } = await go({
      prompt: 'hey',
      env: { AEGIS_BOOTSTRAP_DEBUG: on, AEGIS_ITERATION: '1' },
    })
    expect(stdout).toBe('fine\n')
    const lines = stderr.trim().split('\n')
    expect(lines.map((line) => line.replace(/:\d+\//, ':PORT/'))).toEqual([
      '[BOOTSTRAP DEBUG] Iteration 1, prompt of 3 bytes',
      '[BOOTSTRAP DEBUG] POST http://127.0.0.1:PORT/api/llm/generate',
      '[BOOTSTRAP DEBUG] Status 200',
    ])
  })
})

it('is put into the sandbox as an executable file', () => {
  for (const [language, argv0] of [
    ['python', 'python3'],
    ['javascript', 'node'],
  ] as const) {
    const { file, argv, standsBy } = bootstrapFor(language)
    expect({ argv, standsBy }).toEqual({ argv: [argv0, file.path], standsBy: true })
    expect(file.mode).toBe(0o755)
    expect(Buffer.from(file.content).toString()).toMatch(/^#!\/usr\/bin\/env /)
  }
})
