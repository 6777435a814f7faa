import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { imageNameOf } from './image-name.ts'
import { pullFailureOf } from './pull-failure.ts'

const failureOf = (words: string, reference = 'python:3.11', authenticated = false) =>
  pullFailureOf({ reference, name: imageNameOf(reference), words, authenticated })
const codeOf = (words: string) => {
  const { error, isTransient } = failureOf(words)
  return [error.kind, error.code, isTransient ? 'transient' : 'lasting'].join(' ')
}

describe('an image that is not there', () => {
  it.each([
    // Docker 20.10 to 28
    'manifest for python:nope not found: manifest unknown: manifest unknown',
    'manifest for 127.0.0.1:5000/agent:2 not found: manifest unknown: manifest tagged by "2" is not found',
    'repository 127.0.0.1:5000/nope not found: name unknown: repository name not known to registry',
    'no matching manifest for linux/arm64/v8 in the manifest list entries',
    // Docker with the image store of containerd, the default since 29
    'failed to resolve reference "docker.io/library/python:nope": docker.io/library/python:nope: not found',
    'docker.io/library/python:nope: not found',
    'no matching manifest for linux/arm64/v8 in the manifest list entries: no match for platform in manifest: not found',
    'unexpected status from HEAD request to https://ghcr.io/v2/acme/agent/manifests/2: 404 Not Found',
    // Podman 4 and 5
    'initializing source docker://python:nope: reading manifest nope in docker.io/library/python: manifest unknown',
    'initializing source docker://quay.io/acme/nope:latest: reading manifest latest in quay.io/acme/nope: name unknown: repository not found',
    'choosing an image from manifest list docker://acme/agent:1: no image found in manifest list for architecture arm64, variant "v8", OS linux',
    'choosing an image from manifest list docker://acme/agent:1: no image found in image index for architecture "arm64", variant "v8", OS "linux"',
  ])('is told from %s', (words) => {
    expect(codeOf(words)).toBe('not-found image.absent lasting')
  })
})

describe('an image that may not be had', () => {
  it.each([
    // Docker 20.10 to 28
    "pull access denied for acme/agent, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
    'Get "https://registry.example.com/v2/agent/manifests/1": unauthorized: authentication required',
    'Head "http://localhost:5001/v2/agent/manifests/latest": no basic auth credentials',
    'Get https://533243300146.dkr.ecr.us-east-1.amazonaws.com/v2/agent/manifests/1: no basic auth credentials',
    'unauthorized: incorrect username or password',
    'Head "https://ghcr.io/v2/acme/agent/manifests/1": denied: denied',
    'Head "https://ghcr.io/v2/acme/agent/manifests/1": denied',
    'error parsing HTTP 403 response body: unexpected end of JSON input: ""',
    // With the image store of containerd
    'pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
    'failed to resolve reference "docker.io/acme/agent:1": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
    'failed to resolve reference "public.ecr.aws/lambda/provided:al2023": unexpected status from HEAD request to https://public.ecr.aws/v2/lambda/provided/manifests/al2023: 403 Forbidden',
    'failed to resolve reference "127.0.0.1:5000/agent:1": unexpected status from HEAD request to http://127.0.0.1:5000/v2/agent/manifests/1: 401 Unauthorized',
    'failed to resolve reference "docker.io/acme/agent:1": failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://auth.docker.io/token: 401 Unauthorized',
    // Podman 4 and 5
    'initializing source docker://acme/agent:latest: reading manifest latest in docker.io/acme/agent: requested access to the resource is denied',
    'initializing source docker://reg.example.com/tor:latest: reading manifest latest in reg.example.com/tor: unauthorized: authentication required',
    'initializing source docker://python:3.11: unable to retrieve auth token: invalid username/password: unauthorized: incorrect username or password',
  ])('is told from %s', (words) => {
    expect(codeOf(words)).toBe('denied image.access lasting')
  })

  it('may be no image at all, where the registry does not say which', () => {
    const words =
      "pull access denied for acme/agent, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
    const { error } = failureOf(words, 'acme/agent:1')
    expect(error.message).toMatch(/does not exist, or it is private.*: docker login\./)
  })

  it('asks for a login at its registry', () => {
    const words = 'Get "https://registry.example.com/v2/": unauthorized: authentication required'
    expect(failureOf(words, 'registry.example.com/agent:1').error.message).toContain(
      'docker login registry.example.com.',
    )
  })

  it('says that credentials were not enough', () => {
    const words = 'unauthorized: incorrect username or password'
    expect(failureOf(words, 'python:3.11', true).error.message).toContain(
      'to the credentials of this host',
    )
  })
})

describe('a registry that cannot be reached', () => {
  it.each([
    // Docker 20.10 to 28
    'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.0.2.3:53: no such host',
    'Get https://registry-1.docker.io/v2/: dial tcp: lookup registry-1.docker.io on 10.0.2.3:53: read udp 10.0.2.15:54567->10.0.2.3:53: i/o timeout',
    'Get "http://127.0.0.1:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused',
    'Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout',
    'Get "https://registry-1.docker.io/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)',
    'Get "https://registry-1.docker.io/v2/": context deadline exceeded',
    'Get https://registry-1.docker.io/v2/library/python/manifests/latest: Get https://auth.docker.io/token?scope=repository%3Alibrary%2Fpython%3Apull&service=registry.docker.io: unexpected EOF',
    'Get "https://registry-1.docker.io/v2/": proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection refused',
    'Get "https://registry-1.docker.io/v2/": Proxy Authentication Required',
    'unexpected EOF',
    'EOF',
    'error pulling image configuration: download failed after attempts=6: received unexpected HTTP status: 500 Internal Server Error',
    'received unexpected HTTP status: 503 Service Unavailable',
    'read tcp 10.0.0.2:51234->104.16.1.1:443: read: connection reset by peer',
    'filesystem layer verification failed for digest sha256:0a0a',
    'dial tcp 104.16.1.1:443: connect: no route to host',
    // With the image store of containerd
    'failed to resolve reference "ghcr.io/acme/agent:1": failed to do request: Head "https://ghcr.io/v2/acme/agent/manifests/1": dial tcp: lookup ghcr.io: Try again',
    'failed to resolve reference "localhost:5001/agent:1": failed to do request: Head "https://localhost:5001/v2/agent/manifests/1": dial tcp [::1]:5001: i/o timeout',
    'failed to resolve reference "docker.io/acme/agent:1": failed to authorize: failed to fetch anonymous token: Get "https://auth.docker.io/token?scope=repository%3Aacme%2Fagent%3Apull&service=registry.docker.io": EOF',
    'failed to copy: httpReadSeeker: failed open: failed to do request: Get "https://production.cloudflare.docker.com/registry-v2/docker/registry/v2/blobs/sha256/24/24c6/data?verify=1": dial tcp: lookup production.cloudflare.docker.com: no such host',
    'failed to resolve reference "ghcr.io/acme/agent:1": unexpected status from HEAD request to https://ghcr.io/v2/acme/agent/manifests/1: 502 Bad Gateway',
    // Podman 4 and 5
    'initializing source docker://localhost/agent:1: pinging container registry localhost: Get "https://localhost/v2/": dial tcp [::1]:443: connect: connection refused',
    'initializing source docker://python:3.11: pinging container registry registry-1.docker.io: Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: Temporary failure in name resolution',
    // Any of them
    'toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit',
    'failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/acme/agent/manifests/1: 429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit',
  ])('is tried again after %s', (words) => {
    expect(codeOf(words)).toBe('unavailable image.network transient')
  })

  it.each([
    'Get "https://registry.example.com/v2/": x509: certificate signed by unknown authority',
    'Get "https://registry.example.com/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority',
    'Get "https://192.168.1.5:5000/v2/": http: server gave HTTP response to HTTPS client',
    'initializing source docker://hello-world:latest: pinging container registry registry-1.docker.io: Get "https://registry-1.docker.io/v2/": tls: failed to verify certificate: x509: certificate is valid for *.example.com, not registry-1.docker.io',
  ])('is not tried again after %s', (words) => {
    expect(codeOf(words)).toBe('unavailable image.network lasting')
  })

  it.each([
    [
      'Get "http://127.0.0.1:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused',
      '127.0.0.1:5000',
    ],
    [
      'Get https://registry-1.docker.io/v2/x: Get https://auth.docker.io/token?a=b: EOF',
      'auth.docker.io',
    ],
    ['unexpected EOF', 'Docker Hub'],
  ])('is named, as in %s', (words, host) => {
    expect(failureOf(words).error.message).toContain(`cannot be pulled from ${host}: `)
  })
})

describe('a full disk', () => {
  it.each([
    'failed to register layer: Error processing tar file(exit status 1): write /opt/conda/lib/libtorch.so: no space left on device',
    'failed to register layer: ApplyLayer exit status 1 stdout:  stderr: write /usr/x: no space left on device',
    'failed to extract layer sha256:0a: write /var/lib/containerd/x: no space left on device: unknown',
    'writing blob: adding layer with blob "sha256:0a": processing tar file(write /usr/x.pyc: no space left on device): exit status 1',
    'write /var/lib/docker/tmp/GetImageBlob123: no space left on device',
  ])('is told from %s', (words) => {
    expect(codeOf(words)).toBe('exhausted image.space lasting')
  })
})

it('tells what cannot be a name', () => {
  const words = 'invalid reference format: repository name (library/pYthon) must be lowercase'
  expect(codeOf(words)).toBe('invalid image.reference lasting')
})

it.each([
  'failed to register layer: lchown /home/user: invalid argument',
  'unsupported media type application/vnd.example',
  'missing signature key',
])('passes on what it does not know: %s', (words) => {
  expect(codeOf(words)).toBe('unavailable image.pull-failed lasting')
  expect(failureOf(words).error.message).toContain(words)
})

it.each([
  'forbidden:502',
  'eof',
  'tls:404',
  'unauthorized:1',
  'x509:429',
  'lookup/denied:1',
])('is not misled by the name %s', (reference) => {
  const words = `manifest for ${reference} not found: manifest unknown: manifest unknown`
  expect(codeOf(words)).toBe('not-found image.absent lasting')
})

it('shows no signatures of downloads and no passwords of proxies', () => {
  const words =
    'Get "https://cdn.example.com/data?verify=SIGNATURE&x=1": proxyconnect tcp: Get http://me:PASSWORD@proxy:3128/x?t=SIGNATURE: EOF'
  const { message } = failureOf(words).error
  expect(message).toContain('cdn.example.com/data": proxyconnect')
  expect(message).toContain('http://proxy:3128/x: EOF')
  expect(message).not.toMatch(/SIGNATURE|PASSWORD/)
})

it('takes any words, and shows none that drive a terminal', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (words, authenticated) => {
      const { error } = failureOf(words, 'python:3.11', authenticated)
      expect(error.message).toMatch(/^[\x20-\x7e]+$/)
    }),
  )
})
