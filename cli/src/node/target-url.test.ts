import { describe, expect, it } from 'vitest'
import { targetUrl } from './connect.ts'

describe('the daemon that is asked for', () => {
  it.each([
    [{}, 'http://127.0.0.1:8000'],
    [{ port: 9000 }, 'http://127.0.0.1:9000'],
    [{ host: '10.0.0.5' }, 'http://10.0.0.5:8000'],
    [{ host: '::1', port: 9 }, 'http://[::1]:9'],
    [{ host: 'https://aegis.example' }, 'https://aegis.example'],
    [{ host: 'https://aegis.example/', port: 8443 }, 'https://aegis.example:8443'],
    [{ host: 'HTTPS://aegis.example:8443/node/' }, 'https://aegis.example:8443/node'],
  ])('by %o is at %s', (settings, url) => {
    expect(targetUrl({ host: undefined, port: undefined, ...settings })).toBe(url)
  })

  it.each([
    'https://',
    'https://user:secret@aegis.example',
    'https://aegis.example/?x=1',
    'https://aegis.example/#x',
  ])('is nowhere by %s', (host) => {
    expect(() => targetUrl({ host, port: undefined })).toThrow('https://aegis.example:8000')
  })
})
