import type { AgentManifest } from '../agent/agent-manifest.ts'
import { proxyPort } from '../sandbox/sandbox-spec.ts'
import { opensTls } from './plan-egress.ts'

/** Where a sandbox finds the authorities to trust, when some of its TLS ends at the gateway. */
export const trustBundlePath = '/tmp/.aegis/ca-bundle.pem'

/**
 * What tells programs how to reach what is permitted beyond names and their ports, and whom to
 * trust. Clients that ignore it reach what has a name in the sandbox all the same.
 */
export function networkEnvironment(manifest: AgentManifest): Record<string, string> {
  if (manifest.spec.security.network.mode === 'none') return {}
  const proxy = `http://127.0.0.1:${proxyPort}`
  const direct = 'localhost,127.0.0.1,::1'
  const variables = {
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    ALL_PROXY: proxy,
    NO_PROXY: direct,
  }
  return {
    ...variables,
    ...Object.fromEntries(
      Object.entries(variables).map(([name, value]) => [name.toLowerCase(), value]),
    ),
    ...(opensTls(manifest) &&
      Object.fromEntries(trustVariables.map((name) => [name, trustBundlePath]))),
  }
}

const trustVariables = [
  'SSL_CERT_FILE', // OpenSSL, Go, Python
  'NODE_EXTRA_CA_CERTS',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'AWS_CA_BUNDLE',
  'PIP_CERT',
  'npm_config_cafile',
  'CARGO_HTTP_CAINFO',
  'DENO_CERT',
]
