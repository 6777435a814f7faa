import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeDaemonRecord } from './daemon-record.ts'
import { findDaemon } from './find-daemon.ts'
import { homeAt } from './home.ts'

describe('a daemon that serves over TLS', () => {
  it('is found by its own certificate, though nobody signed that and it bears another name', async () => {
    await using scene = await openScene({ shown: one, recorded: one.certificate })
    expect(await findDaemon(scene.home)).toMatchObject({ state: 'running', uptimeSeconds: 7 })
  })

  it('is not taken for another that listens in its place', async () => {
    await using scene = await openScene({ shown: other, recorded: one.certificate })
    expect(await findDaemon(scene.home)).toMatchObject({ state: 'unhealthy' })
    expect(scene.requests).toBe(0)
  })

  it('is shown the same certificate where it asks its clients for one', async () => {
    await using scene = await openScene({ shown: one, recorded: one.certificate, isMutual: true })
    expect(await findDaemon(scene.home)).toMatchObject({ state: 'running' })
  })
})

interface Identity {
  readonly key: string
  readonly certificate: string
}

interface SceneOptions {
  readonly shown: Identity
  readonly recorded: string
  readonly isMutual?: boolean
}

async function openScene({ shown, recorded, isMutual = false }: SceneOptions) {
  const home = await mkdtemp(join(tmpdir(), 'aegis-find-'))
  const keyPath = join(home, 'key.pem')
  await writeFile(keyPath, shown.key, { mode: 0o600 })
  let requests = 0
  const server = createServer(
    {
      key: shown.key,
      cert: shown.certificate,
      ...(isMutual && { ca: shown.certificate, requestCert: true, rejectUnauthorized: true }),
    },
    (_request, response) => {
      requests += 1
      response.end(JSON.stringify({ uptime_seconds: 7 }))
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  // A daemon is a process that lives and has this word in its command line.
  const stand = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', 'aegis'])
  await once(stand, 'spawn')
  await writeDaemonRecord(homeAt(home).daemonRecord, {
    pid: stand.pid ?? 0,
    url: `https://127.0.0.1:${port}`,
    version: '0.1.0',
    startedAt: '2026-01-01T00:00:00.000Z',
    tls: { certificate: recorded, ...(isMutual && { keyPath }) },
  })
  return {
    home,
    get requests() {
      return requests
    },
    async [Symbol.asyncDispose]() {
      stand.kill()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(home, { recursive: true })
    },
  }
}

// Made for these tests alone: `openssl ca -selfsign`, CN=node.example, valid from 2020 to 2120.
const one: Identity = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/tKAdTCfBAGa2JD3
xTRa5pkEhYHVdbtwgJfK+VEr81qhRANCAAST+700pHNrD9ioATyZx46PArkRN4aa
rEsOIBBuiQNsnppVkVvnIWe0QMvrVswhAX1QFPPkUN0bIXdFyKZ2tcAR
-----END PRIVATE KEY-----`,
  certificate: `-----BEGIN CERTIFICATE-----
MIIBKzCB0QIUdTJQU2qATtk4XuJoFCC3rqz5L14wCgYIKoZIzj0EAwIwFzEVMBMG
A1UEAwwMbm9kZS5leGFtcGxlMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAw
MDAwWjAXMRUwEwYDVQQDDAxub2RlLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAST+700pHNrD9ioATyZx46PArkRN4aarEsOIBBuiQNsnppVkVvnIWe0
QMvrVswhAX1QFPPkUN0bIXdFyKZ2tcARMAoGCCqGSM49BAMCA0kAMEYCIQDbPz3f
wWYF/6FbuG05EGVhTUMZhjHciHWUKh1GK+bhnwIhAMOaJQtoKDWK2munZ8SQEhWT
oHNSRCJ8Ehb7jyZjdyEW
-----END CERTIFICATE-----`,
}

const other: Identity = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQglalNVwUcl1yP9ttB
jFSxrkuKnvs1G0JH4YFpTUhfyfqhRANCAAT5bIJemYQcRTxo/l8Fyv8/K0cbRvSe
XLHsmwXNMfbeCA7ecmslMyxRNy1ifekBhQgyFM9Y+7oAAphjOTQD2kRi
-----END PRIVATE KEY-----`,
  certificate: `-----BEGIN CERTIFICATE-----
MIIBKzCB0QIUaIReKUI8oso2MvL4ZEHYAQN/HUowCgYIKoZIzj0EAwIwFzEVMBMG
A1UEAwwMbm9kZS5leGFtcGxlMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAw
MDAwWjAXMRUwEwYDVQQDDAxub2RlLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAT5bIJemYQcRTxo/l8Fyv8/K0cbRvSeXLHsmwXNMfbeCA7ecmslMyxR
Ny1ifekBhQgyFM9Y+7oAAphjOTQD2kRiMAoGCCqGSM49BAMCA0kAMEYCIQDGNEv7
A5g7cC42voReT/q0zUPg9676bNN0icU0JCQX5gIhALS9eX5OZ6LMdu29uv80lUjD
rtDXbnu//hZovTWGK8Aw
-----END CERTIFICATE-----`,
}
