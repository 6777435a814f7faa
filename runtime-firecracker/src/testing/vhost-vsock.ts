import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

const name = 'vhost-device-vsock'

/**
 * Where a vhost-device-vsock lies: `AEGIS_VHOST_VSOCK`, else on the path or where cargo puts it. Undefined where
 * there is none; `AEGIS_REQUIRE=vhost-vsock` makes that a failure.
 */
export async function findVhostVsock(): Promise<string | undefined> {
  const { AEGIS_VHOST_VSOCK: named, PATH = '', AEGIS_REQUIRE = '' } = process.env
  const directories = [...PATH.split(delimiter), '/usr/bin', join(homedir(), '.cargo', 'bin')]
  for (const path of named ? [named] : directories.map((directory) => join(directory, name)))
    if (await isExecutable(path)) return path
  if (AEGIS_REQUIRE.split(',').includes('vhost-vsock')) throw new Error(`${name} is missing`)
  return undefined
}

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
