import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sandboxId } from '@aegis/core'
import { expect, it, onTestFinished } from 'vitest'
import { makeCgroupV2 } from './cgroup-v2.ts'

const limits = {
  cpuMillicores: 1500,
  memoryBytes: 64 << 20,
  diskBytes: 1,
  pids: 32,
  outputBytes: 1,
}

// The kernel makes these files with the directory; here they are there beforehand.
async function groupWith(files: Readonly<Record<string, string>>) {
  const parent = await mkdtemp(join(tmpdir(), 'aegis-cgroup-v2-'))
  onTestFinished(() => rm(parent, { recursive: true }))
  await mkdir(join(parent, 'box'))
  for (const [name, content] of Object.entries(files))
    await writeFile(join(parent, 'box', name), content)
  return { parent, read: (name: string) => readFile(join(parent, 'box', name), 'utf8') }
}

const controls = {
  'memory.max': 'max',
  'memory.swap.max': 'max',
  'cpu.max': 'max',
  'pids.max': 'max',
}

it('writes every limit, and forbids swap', async () => {
  const { parent, read } = await groupWith(controls)
  const group = await makeCgroupV2(parent).create(sandboxId('box'), limits)
  expect(group.procsFiles).toEqual([join(parent, 'box', 'cgroup.procs')])
  expect(await read('memory.max')).toBe(`${64 << 20}`)
  expect(await read('memory.swap.max')).toBe('0')
  expect(await read('cpu.max')).toBe('150000 100000')
  expect(await read('pids.max')).toBe('32')
})

it('works on a kernel without swap', async () => {
  const { 'memory.swap.max': _, ...rest } = controls
  const { parent } = await groupWith(rest)
  await expect(makeCgroupV2(parent).create(sandboxId('box'), limits)).resolves.toBeDefined()
})

it('reads what was used and how often a limit struck', async () => {
  const { parent } = await groupWith({
    ...controls,
    'cpu.stat': 'usage_usec 12500\nuser_usec 1\n',
    'memory.current': '4096\n',
    'memory.peak': '8192\n',
    'pids.current': '3\n',
    'memory.events': 'low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\n',
    'pids.events': 'max 7\n',
    'memory.stat': 'anon 1\nshmem 2048\n',
  })
  const group = await makeCgroupV2(parent).create(sandboxId('box'), limits)
  expect(await group.usage()).toEqual({
    cpuMs: 12.5,
    memoryBytes: 4096,
    memoryPeakBytes: 8192,
    pids: 3,
  })
  expect(await group.hits()).toEqual({ oomKills: 1, pidsRefusals: 7, sharedMemoryBytes: 2048 })
})
