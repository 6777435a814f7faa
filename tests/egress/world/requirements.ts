import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { programPath } from '../../engine/requirements.ts'

/** Programs and the package that each comes in. */
const programs = {
  curl: 'curl',
  git: 'git',
  openssl: 'openssl',
  'redis-cli': 'redis-tools',
  'redis-server': 'redis-server',
  'ssh-keyscan': 'openssh-client',
  sshd: 'openssh-server',
  setpriv: 'util-linux',
}

/** Where Debian puts the programs of the newest PostgreSQL it has. */
export const postgresPrograms = newestPostgres() ?? '/usr/lib/postgresql/bin'

/** Why the world cannot be made here; `AEGIS_REQUIRE=world` makes that a failure. */
export function whyNoWorld(): string | undefined {
  const reason = missing()
  if (reason !== undefined && (process.env.AEGIS_REQUIRE ?? '').split(',').includes('world')) {
    throw new Error(reason)
  }
  return reason
}

function missing(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may serve on the ports that clients expect'
  if (newestPostgres() === undefined) return 'PostgreSQL is missing: apt-get install postgresql'
  const [absent] = Object.entries(programs).filter(([name]) => programPath(name) === undefined)
  return absent && `${absent[0]} is not installed: apt-get install ${absent[1]}`
}

function newestPostgres(): string | undefined {
  const root = '/usr/lib/postgresql'
  try {
    const version = readdirSync(root)
      .toSorted((a, b) => Number(a) - Number(b))
      .at(-1)
    return version && join(root, version, 'bin')
  } catch {
    return undefined
  }
}
