import { createHash, createHmac } from 'node:crypto'
import { type Headers, valuesOf } from '../http/header-list.ts'

/** What an Authorization header of AWS Signature Version 4 says. */
export interface SigV4Claim {
  readonly accessKeyId: string
  /** `20150830` */
  readonly date: string
  readonly region: string
  readonly service: string
  /** In lower case, sorted. */
  readonly signedHeaders: readonly string[]
}

export interface SigV4Key {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** A request as it is sent. */
export interface SignableRequest {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Headers
  /** SHA-256 of the body in hexadecimal, or the word that stands for it. */
  readonly payloadHash: string
}

const algorithm = 'AWS4-HMAC-SHA256'

/** Undefined for whatever has not exactly this form. */
export function parseSigV4(authorization: string): SigV4Claim | undefined {
  const match =
    /^AWS4-HMAC-SHA256 +Credential=([^/,\s]+)\/(\d{8})\/([\w-]+)\/([\w.-]+)\/aws4_request, *SignedHeaders=([!#$%&'*+.^_`|~0-9a-z;-]+), *Signature=[0-9a-f]{64} *$/.exec(
      authorization,
    )
  const [, accessKeyId = '', date = '', region = '', service = '', names = ''] = match ?? []
  if (match === null) return undefined
  return { accessKeyId, date, region, service, signedHeaders: names.split(';').sort() }
}

/** The Authorization header of `request`, signed with `key`; `amzDate` is its `x-amz-date`. */
export function signSigV4(
  request: SignableRequest,
  { date, region, service, signedHeaders }: Omit<SigV4Claim, 'accessKeyId'>,
  amzDate: string,
  { accessKeyId, secretAccessKey }: SigV4Key,
): string {
  const scope = `${date}/${region}/${service}/aws4_request`
  const canonical = canonicalRequest(request, service, signedHeaders)
  const text = [algorithm, amzDate, scope, sha256(canonical)].join('\n')
  const signingKey = [date, region, service, 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${secretAccessKey}`,
  )
  const signature = hmac(signingKey, text).toString('hex')
  return `${algorithm} Credential=${accessKeyId}/${scope}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
}

/** What is signed: the request in one form that both ends come to. */
export function canonicalRequest(
  { method, target, headers, payloadHash }: SignableRequest,
  service: string,
  signedHeaders: readonly string[],
): string {
  const [, path = '', query = ''] = /^([^?]*)\??(.*)$/s.exec(target) ?? []
  const values = (name: string) => valuesOf(headers, name).map(collapse).join(',')
  return [
    method,
    canonicalPath(path, service),
    canonicalQuery(query),
    ...signedHeaders.map((name) => `${name}:${values(name)}`),
    '',
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n')
}

/** S3 takes a path as it is written; all else escapes it once more, without its dot segments. */
function canonicalPath(path: string, service: string): string {
  if (/^s3(-|$|express$)/.test(service)) {
    return (
      path
        .split('/')
        .map((segment) => escapeAll(unescapeBytes(segment)))
        .join('/') || '/'
    )
  }
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '.' && segment !== '') segments.push(segment)
  }
  const open = /\/\.{0,2}$/.test(path) && segments.length > 0
  return `/${segments.map((segment) => escapeAll(Buffer.from(segment, 'utf8'))).join('/')}${open ? '/' : ''}`
}

function canonicalQuery(query: string): string {
  const pairs = query.split('&').flatMap((pair) => {
    if (pair === '') return []
    const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? []
    return [[name, value].map((text) => escapeAll(unescapeBytes(text.replaceAll('+', ' '))))]
  })
  // All of it is ASCII by now: the order of its characters is that of its bytes.
  const order = (a = '', b = '') => (a < b ? -1 : a > b ? 1 : 0)
  return pairs
    .sort(
      ([name, value], [otherName, otherValue]) =>
        order(name, otherName) || order(value, otherValue),
    )
    .map((pair) => pair.join('='))
    .join('&')
}

const collapse = (value: string): string => value.trim().replace(/ +/g, ' ')

function unescapeBytes(text: string): Buffer {
  const parts = text.split(/%([0-9A-Fa-f]{2})/)
  return Buffer.concat(
    parts.map((part, index) => Buffer.from(part, index % 2 === 0 ? 'utf8' : 'hex')),
  )
}

const escapeAll = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .replace(
      /[^A-Za-z0-9\-._~]/g,
      (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    )

export const sha256 = (content: string | Uint8Array): string =>
  createHash('sha256').update(content).digest('hex')

const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest()
