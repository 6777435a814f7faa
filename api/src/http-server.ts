import { readFile } from 'node:fs/promises'
import * as http from 'node:http'
import * as https from 'node:https'
import { AegisError } from '@aegis/core'
import { limits } from './limits.ts'

export interface TlsFiles {
  readonly certPath: string
  readonly keyPath: string
  /** Present: only clients with a certificate that this authority signed are let in. */
  readonly caPath?: string | undefined
}

/** The bare server with its limits, TLS where it is configured. @throws AegisError `invalid` / `api.tls` */
export async function makeHttpServer(
  tls: TlsFiles | undefined,
): Promise<(handler: http.RequestListener) => http.Server> {
  const options: http.ServerOptions = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: 5_000,
  }
  const secure = tls === undefined ? undefined : await readTls(tls)
  return (handler) => {
    const server =
      secure === undefined
        ? http.createServer(options, handler)
        : https.createServer({ ...options, ...secure }, handler)
    server.maxConnections = limits.connections
    return server
  }
}

async function readTls({ certPath, keyPath, caPath }: TlsFiles): Promise<https.ServerOptions> {
  const read = async (path: string) => {
    try {
      return await readFile(path)
    } catch (cause) {
      throw new AegisError(
        'invalid',
        'api.tls',
        `The file ${path} that network.tls names cannot be read. Correct the path or the permissions.`,
        { cause },
      )
    }
  }
  const [cert, key, ca] = await Promise.all([
    read(certPath),
    read(keyPath),
    caPath === undefined ? undefined : read(caPath),
  ])
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
  }
}
