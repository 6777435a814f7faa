import { describe, expect, it } from 'vitest'
import { resolveSettings } from './settings.ts'

describe('the settings of all commands', () => {
  it('take flags before the environment', () => {
    const env = { AEGIS_HOME: '/env', AEGIS_PORT: '1', AEGIS_HOST: 'b', AEGIS_LOG_LEVEL: 'warn' }
    const flags = { home: 'flag', port: 2, host: 'a', logLevel: 'error', config: 'c.yaml' } as const
    expect(resolveSettings(flags, env, '/cwd')).toEqual({
      home: '/cwd/flag',
      isHomeExplicit: true,
      configPath: '/cwd/c.yaml',
      host: 'a',
      port: 2,
      isTargetExplicit: true,
      logLevel: 'error',
    })
    expect(resolveSettings({}, env, '/cwd')).toMatchObject({
      home: '/env',
      host: 'b',
      port: 1,
      isTargetExplicit: false,
      logLevel: 'warn',
    })
  })

  it('accept RUST_LOG last, and only where it names a plain level', () => {
    const levelOf = (env: Record<string, string>) => resolveSettings({}, env, '/').logLevel
    expect(levelOf({ RUST_LOG: 'debug' })).toBe('debug')
    expect(levelOf({ RUST_LOG: 'aegis=trace,INFO' })).toBe('info')
    expect(levelOf({ RUST_LOG: 'aegis=trace' })).toBeUndefined()
    expect(levelOf({ RUST_LOG: 'debug', AEGIS_LOG_LEVEL: 'error' })).toBe('error')
  })

  it('refuse a variable that says nothing useful, and name it', () => {
    expect(() => resolveSettings({}, { AEGIS_PORT: '80a' }, '/')).toThrow(/AEGIS_PORT is "80a"/)
    expect(() => resolveSettings({}, { AEGIS_LOG_LEVEL: 'loud' }, '/')).toThrow(/AEGIS_LOG_LEVEL/)
  })

  it('take an empty variable for none', () => {
    const env = { AEGIS_HOME: '', AEGIS_PORT: '', AEGIS_HOST: '', AEGIS_LOG_LEVEL: '' }
    expect(resolveSettings({}, env, '/')).toMatchObject({
      isHomeExplicit: false,
      host: undefined,
      port: undefined,
      logLevel: undefined,
    })
  })
})
