import { localActor } from '@aegis/core'
import { openPolicies } from '@aegis/core/testing'
import fastify from 'fastify'
import { expect, it } from 'vitest'
import { answerErrors } from './answer-errors.ts'
import { authorize } from './authorize.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }

it('refuses a route that stands in no table to everybody', async () => {
  const app = fastify()
  answerErrors(app, silent)
  let reached = 0
  authorize(app, {
    node: {
      as: () => {
        throw new Error('Nobody comes so far')
      },
      agentNames: { ofRef: async () => undefined, ofExecution: async () => undefined },
    },
    authenticate: async () => ({ actor: localActor }),
    policies: openPolicies,
    throttle: { countRequest() {}, countFailure() {} },
    logger: silent,
  })
  const urls = ['/api/unlisted', '/v1/unlisted', '/constructor', '/api/agents/:ref/unlisted']
  for (const url of urls) {
    app.get(url, async () => {
      reached += 1
    })
  }
  for (const url of urls) {
    const headers = { authorization: 'Bearer x' }
    const answer = await app.inject({ url: url.replace(':ref', 'echo'), headers })
    expect(answer.statusCode).toBe(403)
    expect(answer.json()).toMatchObject({ code: 'access.unlisted' })
  }
  expect(reached).toBe(0)
  await app.close()
})
