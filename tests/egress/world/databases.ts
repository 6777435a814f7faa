import { execFile } from 'node:child_process'
import { chmod, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type KeptServer, keepServer } from './keep-server.ts'
import { postgresPrograms } from './requirements.ts'

const run = promisify(execFile)

/** A real PostgreSQL on port 5432 of an address, with a database and a user `world`, without TLS. */
export async function openPostgres(host: string): Promise<KeptServer> {
  const directory = await ownDirectory('postgres')
  await run('chown', ['postgres:', directory])
  const data = join(directory, 'data')
  const asPostgres = ['--reuid=postgres', '--regid=postgres', '--clear-groups']
  await run('setpriv', [
    ...asPostgres,
    join(postgresPrograms, 'initdb'),
    ...['--pgdata', data, '--no-sync', '--username=world', '--auth=trust', '--encoding=UTF8'],
  ])
  return keepServer({
    directory,
    host,
    port: 5432,
    command: [
      ...['setpriv', ...asPostgres, join(postgresPrograms, 'postgres'), '-D', data],
      ...['-c', `listen_addresses=${host}`, '-c', `unix_socket_directories=${directory}`],
      ...['-c', 'fsync=off', '-c', 'dynamic_shared_memory_type=mmap'],
    ],
  })
}

/** A real Redis on port 6379 of an address, which keeps nothing. */
export async function openRedis(host: string): Promise<KeptServer> {
  const directory = await ownDirectory('redis')
  return keepServer({
    directory,
    host,
    port: 6379,
    command: [
      ...['redis-server', '--bind', host, '--port', '6379', '--dir', directory],
      ...['--save', '', '--protected-mode', 'no'],
    ],
  })
}

/** A real SSH server on port 22 of an address, which lets nobody in. */
export async function openSsh(host: string): Promise<KeptServer> {
  const directory = await ownDirectory('ssh')
  const key = join(directory, 'key')
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
  const config = join(directory, 'config')
  await writeFile(config, `ListenAddress ${host}\nHostKey ${key}\nPidFile none\nUsePAM no\n`)
  await run('mkdir', ['-p', '/run/sshd'])
  const command = ['/usr/sbin/sshd', '-D', '-e', '-f', config]
  return keepServer({ directory, host, port: 22, command })
}

/** Others may pass through it: the servers run as users of their own. */
async function ownDirectory(name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `aegis-world-${name}-`))
  await chmod(directory, 0o755)
  return directory
}
