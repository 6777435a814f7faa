import * as z from 'zod'
import { durationText, knownKeys, line, report } from '../kernel/field.ts'

export const isolations = ['inherit', 'process', 'docker', 'firecracker'] as const

export const runtimeSchema = knownKeys({
  language: line()
    .optional()
    .describe(
      '`python` or `javascript`, whose bootstrap asks the model; any other needs `task.command`. Required unless `image` is given',
    ),
  version: line()
    .optional()
    .describe('Version of the language, for example `3.11`. Required unless `image` is given'),
  isolation: z
    .enum(isolations)
    .default('inherit')
    .describe('What the sandbox is made of; `inherit` leaves it to the node'),
  sandbox: z
    .enum(['default', 'gvisor'])
    .default('default')
    .describe('`gvisor`: a kernel of its own in user space, with `isolation: docker`'),
  autopull: z.boolean().default(true).describe('Fetch the image when the host does not have it'),
  image: z
    .string()
    .regex(
      /^[a-z0-9][\w.\-/:@]{0,254}$/,
      'Write it like ghcr.io/acme/agent:1.2 or python:3.11-slim.',
    )
    .optional()
    .describe('An OCI image, for runtimes that boot from one'),
  image_pull_policy: z
    .enum(['Always', 'IfNotPresent', 'Never'])
    .optional()
    .meta({ default: 'IfNotPresent' })
    .describe('When to fetch the image; `Never` when `autopull` is false'),
  model: line().default('default').describe('Alias of the model that the bootstrap asks for'),
  temperature: z.number().min(0).max(2).optional().describe('0 to 2; absent: the provider decides'),
  timeout: durationText(1000, maxTimeoutMs())
    .optional()
    .meta({ aliasOf: 'spec.security.resources.timeout' }),
})
  .superRefine(({ language, version, image }, context) => {
    if (image !== undefined) return
    for (const [key, value] of Object.entries({ language, version })) {
      if (value !== undefined) continue
      const example = key === 'language' ? 'python' : '"3.11"'
      report(
        context,
        {
          message: 'It is missing.',
          remedy: `Add ${key}: ${example} below spec.runtime, or an image.`,
        },
        [key],
      )
    }
  })
  .transform(({ language = 'none', version = 'latest', isolation, image, ...rest }) => ({
    language,
    version,
    isolation,
    ...(image === undefined ? {} : { image }),
    ...rest,
    image_pull_policy: rest.image_pull_policy ?? (rest.autopull ? 'IfNotPresent' : 'Never'),
  }))

/** A week, in milliseconds: the longest an execution may take. */
export function maxTimeoutMs(): number {
  return 7 * 24 * 3_600_000
}
