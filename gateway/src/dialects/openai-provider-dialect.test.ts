import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { ChatDelta } from '../chat/chat.ts'
import { makeOpenAiProviderDialect } from './openai-provider-dialect.ts'

const readerOf = () =>
  makeOpenAiProviderDialect('max_tokens').makeFrameReader({
    model: 'm',
    request: { model: 'm', messages: [], tools: [], stream: true },
  })

it('reads the same text from a frame in the usual form as from one in any other', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.boolean(), (content, spaced) => {
      const frame = {
        id: 'chatcmpl-1',
        object: 'chat.completion.chunk',
        created: 1,
        model: 'm',
        choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }],
        usage: null,
      }
      const deltas: ChatDelta[] = []
      const verdict = readerOf().read(JSON.stringify(frame, null, spaced ? 1 : 0), deltas)
      expect(verdict).toBe('more')
      expect(deltas).toEqual([{ type: 'text', text: content }])
    }),
  )
})

it('never fails with anything but a fault of the provider', () => {
  const fields = fc.constantFrom('choices', 'delta', 'content', 'usage', 'index', 'error')
  const tree = fc.dictionary(fields, fc.jsonValue())
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        tree.map((one) => JSON.stringify(one)),
      ),
      (data) => {
        try {
          readerOf().read(data, [])
        } catch (error) {
          expect(error).toMatchObject({ kind: 'unavailable' })
        }
      },
    ),
  )
})
