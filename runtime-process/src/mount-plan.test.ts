import { type SandboxFilesystem, sandboxId } from '@aegis/core'
import { expect, it } from 'vitest'
import type { HostTree } from './host-tree.ts'
import { planMounts } from './mount-plan.ts'

const tree: HostTree = {
  links: [{ path: '/bin', target: 'usr/bin' }],
  readOnly: ['/usr', '/etc/ssl/certs'],
  etcDirectory: '/home/a/.aegis/etc',
  maskedFiles: ['/proc/keys'],
}

function plan(filesystem: Partial<SandboxFilesystem>, staged = false, launcherNetwork = false) {
  const limits = { cpuMillicores: 1, memoryBytes: 1, diskBytes: 4096, pids: 1, outputBytes: 1 }
  return planMounts({
    spec: {
      id: sandboxId('s'),
      interpreter: { language: 'none', version: '' },
      limits,
      filesystem: { read: [], write: [], readOnly: false, ...filesystem },
      onConnect: () => {},
    },
    tree,
    guestPath: '/home/a/guest',
    interpreters: [
      {
        program: '/opt/aegis/node/bin/node',
        bind: { hostPath: '/home/a/node', inside: '/opt/aegis/node/bin/node' },
        names: ['node'],
      },
    ],
    readOnlyWorkspace: filesystem.readOnly ? '/home/a/.aegis/workspaces/s' : undefined,
    staged,
    launcherNetwork,
  })
}

const text = (...words: string[]) => ` ${words.join(' ')} `
const said = (filesystem: Partial<SandboxFilesystem>, staged?: boolean) =>
  text(...plan(filesystem, staged).bwrap)

it('shares no namespace, drops all capabilities, and clears the environment', () => {
  for (const option of ['--unshare-all', '--unshare-user', '--clearenv', '--die-with-parent'])
    expect(said({})).toContain(text(option))
  expect(said({})).toContain(text('--cap-drop', 'ALL'))
  expect(said({})).not.toContain('--cap-add')
  expect(said({})).not.toContain('--share-net')
})

it('shares the network of the launcher alone, and lets the guest watch it', () => {
  const { bwrap } = plan({}, false, true)
  expect(text(...bwrap)).toContain(text('--unshare-all', '--unshare-user'))
  expect(bwrap).toContain('--share-net')
  expect(bwrap.slice(-3)).toEqual(['/opt/aegis/guest', '--watch', '3'])
})

it('gives every writable place of its own a size, and makes the rest read-only at the end', () => {
  const { bwrap } = plan({})
  for (const [index, word] of bwrap.entries())
    if (word === '--tmpfs') expect(bwrap.slice(index - 2, index)).toEqual(['--size', '4096'])
  const end = [
    '--remount-ro',
    '/dev',
    '--remount-ro',
    '/',
    '--chdir',
    '/',
    '--',
    '/opt/aegis/guest',
  ]
  expect(bwrap.slice(-end.length)).toEqual(end)
})

it('binds nothing writable unless the agent may write there', () => {
  expect(said({ read: ['/data'] })).not.toContain(text('--bind'))
  expect(said({ read: ['/data'] })).toContain(text('--ro-bind', '/data', '/data'))
  expect(said({ write: ['/out'] })).toContain(text('--bind', '/out', '/out'))
})

it('mounts a writable directory after the readable one around it, and writing includes reading', () => {
  const words = said({ read: ['/data/in/deep', '/data'], write: ['/data/out', '/data/in/deep'] })
  const at = (mount: string[]) => words.indexOf(text(...mount))
  expect(at(['--ro-bind', '/data', '/data'])).toBeGreaterThan(0)
  expect(at(['--bind', '/data/out', '/data/out'])).toBeGreaterThan(
    at(['--ro-bind', '/data', '/data']),
  )
  expect(words).toContain(text('--bind', '/data/in/deep', '/data/in/deep'))
  expect(words).not.toContain(text('--ro-bind', '/data/in/deep', '/data/in/deep'))
})

it('binds a host directory read-only where /workspace must not be written', () => {
  const words = said({ readOnly: true })
  expect(words).toContain(text('--ro-bind', '/home/a/.aegis/workspaces/s', '/workspace'))
  expect(words).not.toContain(text('--tmpfs', '/workspace'))
})

it('names staged copies instead of host paths when the launcher stages', () => {
  const { stages, bwrap } = plan({ read: ['/data'] }, true)
  const own = ['/home/a/.aegis/etc', '/home/a/guest', '/home/a/node']
  expect(stages).toEqual([
    ...own.map((path) => ({ path, use: 'stage' })),
    { path: '/data', use: 'lend-read' },
  ])
  expect(text(...bwrap)).toContain(text('--ro-bind', '/tmp/3', '/data'))
  expect(text(...bwrap)).not.toContain('/home/a')
})
