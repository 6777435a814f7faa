import type { ServerResponse } from 'node:http'
import { type Asked, sendFakeEvents, sendFakeJson } from './open-fake-upstream.ts'

/** Answers as OpenAI's servers do: with a tool call where tools are offered, else with a text. */
export function answerAsOpenAi({ body }: Asked, response: ServerResponse): void {
  const calls = [
    {
      index: 0,
      id: 'call_abc',
      type: 'function',
      function: { name: 'get_weather', arguments: '{"city":"Oslo"}' },
    },
  ]
  const usesTools = body.tools !== undefined
  const head = { id: 'chatcmpl-1', created: 1, model: body.model, system_fingerprint: 'fp' }
  const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }
  if (body.stream !== true) {
    const message = usesTools
      ? { role: 'assistant', content: null, tool_calls: calls }
      : { role: 'assistant', content: 'Grüße, world' }
    sendFakeJson(response, {
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, message, finish_reason: usesTools ? 'tool_calls' : 'stop' }],
      usage,
    })
    return
  }
  const chunk = (delta: unknown, finish: string | null = null) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason: finish }],
    usage: null,
  })
  sendFakeEvents(response, [
    chunk({ role: 'assistant', content: '' }),
    ...(usesTools
      ? [
          chunk({
            tool_calls: [{ ...calls[0], function: { name: 'get_weather', arguments: '' } }],
          }),
          chunk({ tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] }),
          chunk({ tool_calls: [{ index: 0, function: { arguments: '"Oslo"}' } }] }),
          chunk({}, 'tool_calls'),
        ]
      : [chunk({ content: 'Grüße' }), chunk({ content: ', world' }), chunk({}, 'stop')]),
    { ...head, object: 'chat.completion.chunk', choices: [], usage },
    'data: [DONE]\n\n',
  ])
}

/** Answers as Anthropic's servers do. */
export function answerAsAnthropic({ body }: Asked, response: ServerResponse): void {
  const usesTools = body.tools !== undefined
  const call = { type: 'tool_use', id: 'toolu_1', name: 'get_weather' }
  const stop = usesTools ? 'tool_use' : 'end_turn'
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: body.model }
  if (body.stream !== true) {
    sendFakeJson(response, {
      ...message,
      content: usesTools
        ? [{ ...call, input: { city: 'Oslo' } }]
        : [{ type: 'text', text: 'Grüße, world' }],
      stop_reason: stop,
      stop_sequence: null,
      usage: { input_tokens: 11, output_tokens: 7 },
    })
    return
  }
  const event = (type: string, fields: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
  const delta = (fields: object) => event('content_block_delta', { index: 0, delta: fields })
  sendFakeEvents(response, [
    event('message_start', {
      message: {
        ...message,
        content: [],
        stop_reason: null,
        usage: { input_tokens: 11, output_tokens: 1 },
      },
    }),
    event('content_block_start', {
      index: 0,
      content_block: usesTools ? { ...call, input: {} } : { type: 'text', text: '' },
    }),
    'event: ping\ndata: {"type":"ping"}\n\n',
    ...(usesTools
      ? [
          delta({ type: 'input_json_delta', partial_json: '{"city":' }),
          delta({ type: 'input_json_delta', partial_json: '"Oslo"}' }),
        ]
      : [
          delta({ type: 'text_delta', text: 'Grüße' }),
          delta({ type: 'text_delta', text: ', world' }),
        ]),
    event('content_block_stop', { index: 0 }),
    event('message_delta', {
      delta: { stop_reason: stop, stop_sequence: null },
      usage: { output_tokens: 7 },
    }),
    event('message_stop', {}),
  ])
}

/** Answers as Ollama does, on both of its routes. */
export function answerAsOllama({ body, path }: Asked, response: ServerResponse): void {
  const call = { function: { name: 'get_weather', arguments: { city: 'Oslo' } } }
  const head = { model: body.model, created_at: '2026-01-01T00:00:00Z' }
  const said = (content: string, calls?: unknown[]) =>
    path === '/api/generate'
      ? { response: content }
      : { message: { role: 'assistant', content, ...(calls ? { tool_calls: calls } : {}) } }
  const closing = { done: true, done_reason: 'stop', prompt_eval_count: 11, eval_count: 7 }
  const usesTools = body.tools !== undefined
  if (body.stream === false) {
    const answer = usesTools ? said('', [call]) : said('Grüße, world')
    sendFakeJson(response, { ...head, ...answer, ...closing })
    return
  }
  const pieces = usesTools ? [said('', [call])] : [said('Grüße'), said(', world')]
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  for (const piece of pieces) {
    response.write(`${JSON.stringify({ ...head, ...piece, done: false })}\n`)
  }
  response.end(`${JSON.stringify({ ...head, ...said(''), ...closing })}\n`)
}
