import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'

const file = fileURLToPath(new URL('../../compose.yaml', import.meta.url))

const serviceSchema = z.strictObject({
  build: z.string(),
  image: z.string(),
  restart: z.string(),
  init: z.boolean(),
  stop_grace_period: z.string().regex(/^\d+s$/),
  ports: z.array(z.string()),
  volumes: z.array(z.string()),
  group_add: z.array(z.string()),
  environment: z.array(z.string()),
  read_only: z.boolean(),
  tmpfs: z.array(z.string()),
  cap_drop: z.array(z.string()),
  security_opt: z.array(z.string()),
  mem_limit: z.string().regex(/^\d+g$/),
  pids_limit: z.int(),
  logging: z.strictObject({ driver: z.string(), options: z.record(z.string(), z.string()) }),
})

/** Strict, so that whoever adds a key to the file also says here what becomes of it in tests. */
const composeSchema = z.strictObject({
  name: z.string(),
  services: z.strictObject({ aegis: serviceSchema }),
  volumes: z.strictObject({ home: z.null() }),
})

export type ComposeService = z.infer<typeof serviceSchema>

/** The service of compose.yaml, with the variables it names: `${NAME:-default}`. */
export async function readComposeService(
  variables: Readonly<Record<string, string>> = {},
): Promise<ComposeService> {
  const text = (await readFile(file, 'utf8')).replaceAll(
    /\$\{(\w+):-([^}]*)\}/g,
    (_, name: string, fallback: string) => variables[name] ?? fallback,
  )
  return composeSchema.parse(parse(text)).services.aegis
}

/** What the service asks of the engine. Its network is left out: engines of tests have none. */
export function hostConfigOf(service: ComposeService): Readonly<Record<string, unknown>> {
  return {
    Init: service.init,
    RestartPolicy: { Name: service.restart },
    GroupAdd: service.group_add,
    ReadonlyRootfs: service.read_only,
    Tmpfs: Object.fromEntries(service.tmpfs.map((path) => [path, ''])),
    CapDrop: service.cap_drop,
    SecurityOpt: service.security_opt,
    Memory: Number.parseInt(service.mem_limit, 10) * 2 ** 30,
    PidsLimit: service.pids_limit,
    LogConfig: { Type: service.logging.driver, Config: service.logging.options },
    NetworkMode: 'none',
  }
}
