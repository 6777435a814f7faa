/** Why a registry could not be spoken with. */
export interface NetworkFault {
  /** What is wrong and what to do about it, to be read after a colon. */
  readonly remedy: string
  readonly isTransient: boolean
}

/** What the words of Go's network code mean; an interruption where they say nothing exact. */
export function networkFaultIn(words: string): NetworkFault {
  return faults.find(({ pattern }) => pattern.test(words)) ?? interrupted
}

/** The host that failed: that of the last address, since each address wraps what led to it. */
export function hostIn(words: string): string | undefined {
  return [...words.matchAll(/https?:\/\/([\w.-]+(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?)/gi)].at(-1)?.[1]
}

/** The words without what addresses may hold: signatures of downloads, passwords of proxies. */
export function withoutSecrets(words: string): string {
  return words
    .replace(/(https?:\/\/)[^\s"/@]*@/gi, '$1')
    .replace(/(https?:\/\/[^\s"?]*)\?[^\s"]*?(?=:?(\s|"|$))/gi, '$1')
}

const faults = [
  {
    pattern: /proxyconnect |Proxy Authentication Required/,
    remedy:
      'the proxy of the engine does not let it through. Check HTTPS_PROXY and NO_PROXY of the Docker service',
    isTransient: true,
  },
  {
    pattern: /HTTP response to HTTPS client/,
    remedy:
      'it speaks HTTP without TLS. Give it a certificate, or name it in insecure-registries of /etc/docker/daemon.json',
    isTransient: false,
  },
  {
    pattern: /x509: |tls: /,
    remedy:
      'its certificate is not trusted. Put the certificate of its authority into /etc/docker/certs.d/HOST/ca.crt on the host of the engine, and check the clock there',
    isTransient: false,
  },
  {
    pattern: /no such host|lookup \S+( on \S+)?: |in name resolution/,
    remedy: 'its name cannot be resolved. Check the name, and the DNS of the host of the engine',
    isTransient: true,
  },
  {
    pattern: /connection refused/,
    remedy: 'nobody listens there. Check the name and the port, and that the registry runs',
    isTransient: true,
  },
  {
    pattern: /no route to host|network is unreachable/,
    remedy: 'no network leads there. Check the network of the host of the engine',
    isTransient: true,
  },
  {
    pattern: /50[0234] (Internal|Bad|Service|Gateway|response)/,
    remedy: 'the registry has trouble of its own. Try again later',
    isTransient: true,
  },
  {
    pattern: /timeout|Timeout|deadline exceeded/,
    remedy:
      'it does not answer in time. Check the network of the host of the engine, its firewall and its proxy',
    isTransient: true,
  },
] as const

const interrupted: NetworkFault = {
  remedy: 'the connection broke. Pull again; check the network and the proxy if it goes on',
  isTransient: true,
}
