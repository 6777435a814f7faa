import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import * as z from 'zod'
import { questions, requests } from './api-schema.ts'

/**
 * The official description, which is not ours to keep: of a checkout of Firecracker,
 * src/firecracker/swagger/firecracker.yaml.
 */
const path = process.env.AEGIS_FIRECRACKER_API ?? ''

const described = z.object({
  required: z.array(z.string()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  type: z.string().optional(),
  enum: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  $ref: z.string().optional(),
})
type Described = z.infer<typeof described>

const official = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        parameters: z.array(z.object({ in: z.string(), schema: described.optional() })).optional(),
        responses: z.record(z.string(), z.object({ schema: described.optional() })),
      }),
    ),
  ),
  definitions: z.record(z.string(), described),
})

describe.skipIf(!existsSync(path))(
  'the official description (skipped unless AEGIS_FIRECRACKER_API names it)',
  () => {
    const { paths, definitions } = existsSync(path)
      ? official.parse(parse(readFileSync(path, 'utf8')))
      : { paths: {}, definitions: {} }

    const resolve = (node: unknown): Described => {
      const one = described.parse(node)
      const name = one.$ref?.replace('#/definitions/', '')
      return name === undefined ? one : resolve(definitions[name])
    }
    const operation = (name: string) => {
      const [method = '', ours = ''] = name.split(' ')
      const found = Object.keys(paths).find((theirs) => theirs.replace(/\{\w+\}/g, '{}') === ours)
      const described = paths[found ?? '']?.[method.toLowerCase()]
      if (described === undefined) throw new Error(`There is no ${name}`)
      return described
    }

    it.each(Object.entries(requests))('has %s, with the same fields', (name, schema) => {
      const { parameters = [], responses } = operation(name)
      expect(responses).toHaveProperty('204')
      const body = parameters.find((parameter) => parameter.in === 'body')?.schema
      expect(differences(schema, resolve(body), resolve)).toEqual([])
    })

    it.each(Object.entries(questions))('has %s, with the same answer', (name, schema) => {
      const answer = operation(name).responses['200']?.schema
      expect(differences(schema, resolve(answer), resolve)).toEqual([])
    })

    it('says what is wrong as we read it', () => {
      const fault = resolve({ $ref: '#/definitions/Error' })
      expect(fault.properties).toHaveProperty('fault_message')
    })
  },
)

it('sees what differs from a description', () => {
  const schema = z.object({ a: z.int().min(0), b: z.string(), c: z.enum(['x', 'y']).optional() })
  const theirs = described.parse({
    required: ['c'],
    properties: { a: { type: 'integer', minimum: 1 }, c: { type: 'string', enum: ['x'] } },
  })
  expect(differences(schema, theirs, described.parse)).toEqual([
    '.c is required',
    '.a is out of bounds',
    '.b does not exist',
    '.c may not be y',
  ])
})

type Resolve = (node: unknown) => Described

/** In what we would say something that it does not allow, or leave out what it wants. */
function differences(schema: z.ZodType, theirs: Described, resolve: Resolve, at = ''): string[] {
  if (schema instanceof z.ZodOptional)
    return differences(schema.unwrap() as z.ZodType, theirs, resolve, at)
  if (schema instanceof z.ZodObject) return objectDifferences(schema, theirs, resolve, at)
  if (schema instanceof z.ZodEnum) {
    const unknown = schema.options.filter((value) => !theirs.enum?.includes(String(value)))
    return unknown.map((value) => `${at} may not be ${value}`)
  }
  const json = z.toJSONSchema(schema)
  if (json.type !== theirs.type) return [`${at} is ${theirs.type}, and not ${json.type}`]
  const wider =
    (theirs.minimum !== undefined && (json.minimum ?? -1) < theirs.minimum) ||
    (theirs.maximum !== undefined && (json.maximum ?? Number.POSITIVE_INFINITY) > theirs.maximum)
  return wider ? [`${at} is out of bounds`] : []
}

function objectDifferences(
  schema: z.ZodObject,
  theirs: Described,
  resolve: Resolve,
  at: string,
): string[] {
  const ours = Object.entries(schema.shape)
  const missing = (theirs.required ?? []).filter((name) => {
    const field: unknown = schema.shape[name]
    return field === undefined || field instanceof z.ZodOptional
  })
  return [
    ...missing.map((name) => `${at}.${name} is required`),
    ...ours.flatMap(([name, field]) => {
      const property = theirs.properties?.[name]
      if (property === undefined) return [`${at}.${name} does not exist`]
      return differences(field as z.ZodType, resolve(property), resolve, `${at}.${name}`)
    }),
  ]
}
