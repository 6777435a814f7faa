import { describe, expect, it } from 'vitest'
import type { Headers } from '../http/header-list.ts'
import { canonicalRequest, parseSigV4, sha256, signSigV4 } from './sigv4.ts'

/** The key, the scope and the time of the suite that AWS publishes for Signature Version 4. */
const key = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
}
const amzDate = '20150830T123600Z'
const suite = { date: '20150830', region: 'us-east-1', service: 'service' }
const common: Headers = [
  ['Host', 'example.amazonaws.com'],
  ['X-Amz-Date', amzDate],
]

const signatureOf = (
  method: string,
  target: string,
  more: Headers = [],
  signedHeaders: readonly string[] = ['host', 'x-amz-date'],
  body = '',
) =>
  signSigV4(
    { method, target, headers: [...common, ...more], payloadHash: sha256(body) },
    { ...suite, signedHeaders },
    amzDate,
    key,
  ).slice(-64)

describe('a signature is that of the published suite for', () => {
  it.each([
    ['get-vanilla', '/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    [
      'get-vanilla-query-order-key-case',
      '/?Param2=value2&Param1=value1',
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
    [
      'get-vanilla-empty-query-key',
      '/?Param1=value1',
      'a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb',
    ],
    [
      'get-vanilla-query-unreserved',
      '/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
      '9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197',
    ],
    ['get-utf8', '/ሴ', '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85'],
    [
      'get-space',
      '/example space/',
      '652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741',
    ],
    [
      'get-relative',
      '/example/..',
      '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    ],
    ['get-slash', '//', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    [
      'get-slash-dot-slash',
      '/./',
      '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    ],
    [
      'get-slashes',
      '//example//',
      '9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84',
    ],
    [
      'get-slash-pointless-dot',
      '/./example',
      'ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5',
    ],
  ])('%s', (_name, target, signature) => {
    expect(signatureOf('GET', target)).toBe(signature)
  })

  it.each([
    ['post-vanilla', '/', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    [
      'post-vanilla-query',
      '/?Param1=value1',
      '28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11',
    ],
  ])('%s', (_name, target, signature) => {
    expect(signatureOf('POST', target)).toBe(signature)
  })

  it('post-x-www-form-urlencoded', () => {
    const headers: Headers = [['Content-Type', 'application/x-www-form-urlencoded']]
    const signed = ['content-type', 'host', 'x-amz-date']
    expect(signatureOf('POST', '/', headers, signed, 'Param1=value1')).toBe(
      'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    )
  })

  it('get-header-value-trim', () => {
    const headers: Headers = [
      ['My-Header1', ' value1'],
      ['My-Header2', ' "a   b   c"'],
    ]
    const signed = ['host', 'my-header1', 'my-header2', 'x-amz-date']
    expect(signatureOf('GET', '/', headers, signed)).toBe(
      'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
    )
  })

  it('get-header-value-order', () => {
    const headers = ['value4', 'value1', 'value3', 'value2'].map(
      (value) => ['My-Header1', value] as const,
    )
    expect(signatureOf('GET', '/', headers, ['host', 'my-header1', 'x-amz-date'])).toBe(
      '08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01',
    )
  })
})

it('signs the object of the guide to S3 as the guide does', () => {
  const headers: Headers = [
    ['Host', 'examplebucket.s3.amazonaws.com'],
    ['Range', 'bytes=0-9'],
    ['x-amz-content-sha256', sha256('')],
    ['x-amz-date', '20130524T000000Z'],
  ]
  const signedHeaders = ['host', 'range', 'x-amz-content-sha256', 'x-amz-date']
  const scope = { date: '20130524', region: 'us-east-1', service: 's3', signedHeaders }
  const s3Key = {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  }
  const request = { method: 'GET', target: '/test.txt', headers, payloadHash: sha256('') }
  expect(signSigV4(request, scope, '20130524T000000Z', s3Key)).toBe(
    'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  )
})

describe('the canonical form', () => {
  const form = (target: string, service = 'service') =>
    canonicalRequest({ method: 'GET', target, headers: common, payloadHash: 'x' }, service, [
      'host',
    ])
      .split('\n')
      .slice(1, 3)

  it('escapes a path once more, but for S3', () => {
    expect(form('/a%20b/c%2Fd')).toEqual(['/a%2520b/c%252Fd', ''])
    expect(form('/a%20b//c%2fd', 's3')).toEqual(['/a%20b//c%2Fd', ''])
  })

  it('sorts a query by its bytes and escapes it in one way', () => {
    expect(form('/?b=2&a&B=%7e&a=%2f+x&b=1')[1]).toBe('B=~&a=&a=%2F%20x&b=1&b=2')
  })
})

describe('an Authorization header', () => {
  const good = `AWS4-HMAC-SHA256 Credential=AK/20150830/us-east-1/iam/aws4_request, SignedHeaders=x-amz-date;host, Signature=${'0'.repeat(64)}`

  it('says who signs what, where', () => {
    expect(parseSigV4(good)).toEqual({
      accessKeyId: 'AK',
      date: '20150830',
      region: 'us-east-1',
      service: 'iam',
      signedHeaders: ['host', 'x-amz-date'],
    })
  })

  it.each([
    good.replace('HMAC', 'ECDSA-P256'),
    good.replace('aws4_request', 'aws3_request'),
    good.slice(0, -1),
    `${good}, More=1`,
    good.replace('host', 'Host'),
    good.replace(', Sig', ' Sig'),
    good.replace('/iam', ''),
  ])('in another form is none: %s', (text) => {
    expect(parseSigV4(text)).toBeUndefined()
  })
})
