// Looks for keys where agents find some elsewhere, and for ways out other than the agent API.
import { lookup } from 'node:dns/promises'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'

/** The kernel's word for what came of it. */
const reach = (port, host) => {
  const socket = connect({ port, host, timeout: 5000 })
  const outcome = new Promise((resolve) => {
    socket.once('connect', () => resolve('connected'))
    socket.once('timeout', () => resolve('timeout'))
    socket.once('error', (error) => resolve(error.code))
  })
  return outcome.finally(() => socket.destroy())
}

const readable = (path) => {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    return error.code
  }
}

const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name))

process.stdout.write(
  JSON.stringify({
    env: process.env,
    environments: processes.map((pid) => readable(`/proc/${pid}/environ`)),
    commands: processes.map((pid) => readable(`/proc/${pid}/cmdline`)),
    interfaces: Object.keys(networkInterfaces()),
    name: await lookup('api.openai.com').catch((error) => error.code),
    reached: Object.fromEntries(
      await Promise.all(
        [
          ['1.1.1.1', 443],
          ['8.8.8.8', 53],
          ['169.254.169.254', 80],
          ['10.0.0.1', 80],
          ['127.0.0.1', 22],
          ['127.0.0.1', 9],
          ['::1', 8000],
          ['127.0.0.1', 8000],
        ].map(async ([host, port]) => [`${host} ${port}`, await reach(port, host)]),
      ),
    ),
  }),
)
