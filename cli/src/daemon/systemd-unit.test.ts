import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quoteArgument, renderUnit } from './systemd-unit.ts'

describe('the systemd unit', () => {
  const unit = renderUnit({
    argv: ['/usr/bin/node', '/opt/my aegis/aegis.js', '--daemon', '--home', '/var/lib/aegis'],
    home: '/var/lib/aegis',
    user: 'aegis',
  })

  it('runs the daemon in the foreground, as the account that was asked for', () => {
    expect(unit).toContain(
      'ExecStart="/usr/bin/node" "/opt/my aegis/aegis.js" "--daemon" "--home" "/var/lib/aegis"\n',
    )
    expect(unit).toContain('\nEnvironment="AEGIS_HOME=/var/lib/aegis"\nUser=aegis\n')
  })

  it('delegates its cgroup, so that sandboxes can be limited', () => {
    expect(unit).toContain('\nDelegate=yes\n')
  })

  it('names no user where root runs it', () => {
    expect(renderUnit({ argv: ['/a'], home: '/h' })).not.toContain('User=')
  })

  it('hands every argument over as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const quoted = quoteArgument(text)
        expect(quoted).not.toContain('\n')
        expect(readAsSystemdDoes(quoted)).toBe(text)
      }),
    )
  })
})

/** The quoting of systemd.service(5), read backwards. */
function readAsSystemdDoes(quoted: string): string {
  return quoted.slice(1, -1).replace(/\\(.)|%%|\$\$/g, (found, escaped: string | undefined) => {
    if (escaped !== undefined) return escaped === 'n' ? '\n' : escaped
    return found.slice(1)
  })
}
