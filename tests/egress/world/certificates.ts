import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** An authority of the tests, and a certificate it signed. */
export interface Certificates {
  /** PEM. */
  readonly authority: string
  readonly authorityPath: string
  readonly cert: string
  readonly key: string
  readonly certPath: string
  readonly keyPath: string
}

/** Makes both in this directory, the certificate for all of these names. */
export async function makeCertificates(
  directory: string,
  names: readonly string[],
): Promise<Certificates> {
  const at = (name: string) => join(directory, name)
  const openssl = (...args: readonly string[]) => run('openssl', args)
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await openssl(
    ...['req', '-x509', ...curve, '-days', '2', '-subj', '/CN=tests of egress'],
    ...['-keyout', at('ca.key'), '-out', at('ca.pem')],
  )
  await openssl(
    ...['req', ...curve, '-subj', '/CN=world', '-keyout', at('key.pem'), '-out', at('csr')],
  )
  const alternatives = names.map((name) => `DNS:${name}`).join(',')
  await writeFile(at('extensions'), `subjectAltName=${alternatives}\n`)
  await openssl(
    ...['x509', '-req', '-in', at('csr'), '-CA', at('ca.pem'), '-CAkey', at('ca.key')],
    ...['-CAcreateserial', '-days', '2', '-extfile', at('extensions'), '-out', at('cert.pem')],
  )
  const [authority, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readFile(at(name), 'utf8')),
  )
  if (authority === undefined || cert === undefined || key === undefined) throw new Error('openssl')
  return {
    authority,
    authorityPath: at('ca.pem'),
    cert,
    key,
    certPath: at('cert.pem'),
    keyPath: at('key.pem'),
  }
}
