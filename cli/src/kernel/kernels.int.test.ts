import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { aVmlinux } from '../../../runtime-firecracker/src/testing/a-vmlinux.ts'
import { fakeContext } from '../testing/fake-context.ts'
import { fetchKernel } from './fetch-kernel.ts'
import { listKernels } from './list-kernels.ts'
import { useKernel } from './use-kernel.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-kernel-cli-'))
})
afterEach(() => rm(directory, { recursive: true }))

function surroundings(options: { readonly json?: boolean } = {}) {
  const { context, terminal } = fakeContext(undefined, options)
  const settings = { ...context.settings, home: join(directory, 'home') }
  return { context: { ...context, settings, cwd: directory }, terminal }
}

it('says how to get a kernel where there is none', async () => {
  const { context, terminal } = surroundings()
  expect(await listKernels(context, [], {})).toBe(0)
  expect(terminal.stdout()).toBe(
    'This node has no kernel for micro-VMs yet.\nFetch one: aegis kernel fetch\n',
  )
})

it('takes a file, says what it is, and lists it as the one that is used', async () => {
  await writeFile(join(directory, 'vmlinux'), aVmlinux())
  const used = surroundings()
  expect(await useKernel(used.context, ['vmlinux'], {})).toBe(0)
  expect(used.terminal.stdout()).toMatch(
    /^Micro-VMs boot vmlinux \(Linux 6\.1\.90, [0-9a-f]{12}\) from now on\.\n$/,
  )
  const listed = surroundings()
  await listKernels(listed.context, [], {})
  const [count, titles, first] = listed.terminal.stdout().split('\n')
  expect(count).toBe('1 kernel:')
  expect(titles).toMatch(/^NAME +LINUX +DIGEST +SIZE +AGE +USED +SOURCE$/)
  expect(first).toMatch(/^vmlinux +6\.1\.90 +[0-9a-f]{12} .* yes +\/.*vmlinux$/)
})

it('gives JSON in the words of the HTTP API', async () => {
  await writeFile(join(directory, 'vmlinux'), aVmlinux({ pvh: false }))
  const used = surroundings({ json: true })
  await useKernel(used.context, ['vmlinux'], {})
  expect(JSON.parse(used.terminal.stdout())).toMatchObject({
    linux: '6.1.90',
    current: true,
    notices: [expect.stringContaining('CONFIG_PVH')],
  })
  const listed = surroundings({ json: true })
  await listKernels(listed.context, [], {})
  expect(JSON.parse(listed.terminal.stdout())).toMatchObject([
    { name: 'vmlinux', size_bytes: 4272, origin: { kind: 'file' }, current: true },
  ])
})

it('refuses a mirror that is none before it asks anybody', async () => {
  const { context } = surroundings()
  await expect(fetchKernel(context, [], { mirror: 'ftp://mirror' })).rejects.toMatchObject({
    kind: 'invalid',
    code: 'kernel.mirror',
  })
})
