import { expect, it } from 'vitest'
import { kernelArguments, qemuArguments } from './qemu-command.ts'

const command = {
  acceleration: 'tcg',
  vcpus: 2,
  memoryBytes: 128 << 20,
  kernel: { arguments: [] },
  guest: { memoryBytes: 64 << 20, pids: 32, readOnly: false },
  tscKhz: 2_596_000,
} as const

const after = (args: readonly string[], name: string) =>
  args.flatMap((arg, index) => (args[index - 1] === name ? [arg] : []))

it('gives a machine no device but three disks, a console and one port to the host', () => {
  const args = qemuArguments(command)
  expect(after(args, '-device')).toEqual([
    'virtio-blk-device,drive=guest',
    'virtio-blk-device,drive=image',
    'virtio-blk-device,drive=scratch',
    'virtio-serial-device,max_ports=2',
    'virtconsole,chardev=console',
    'virtserialport,id=wire,chardev=host,name=aegis.wire',
  ])
  expect(args).toEqual(expect.arrayContaining(['-nodefaults', '-no-user-config']))
  expect(args.join(' ')).not.toMatch(/net|user,|tap/)
})

it('lets a guest write to its scratch disk alone', () => {
  const writable = after(qemuArguments(command), '-drive').filter((drive) =>
    drive.includes('readonly=off'),
  )
  expect(writable).toEqual([expect.stringMatching(/^id=scratch,/)])
})

it('tells a guest of what its disks refuse, rather than hold it still', () => {
  for (const drive of after(qemuArguments(command), '-drive'))
    expect(drive).toMatch(/,rerror=report,werror=report$/)
})

it('lets QEMU start no program and gain no rights', () => {
  expect(after(qemuArguments(command), '-sandbox')).toEqual([
    'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
  ])
})

it('avoids what this QEMU emulates wrongly, and bounds the code that it translates', () => {
  const args = qemuArguments(command)
  expect(after(args, '-cpu')).toEqual(['max,-cx16'])
  expect(after(args, '-accel')).toEqual(['tcg,thread=multi,tb-size=64'])
})

it('emulates one processor, and gives a real host as many as were asked for', () => {
  expect(after(qemuArguments(command), '-smp')).toEqual(['1'])
  expect(after(qemuArguments({ ...command, acceleration: 'kvm' }), '-smp')).toEqual(['2'])
})

it('keeps the mitigations of a kernel that runs on a real processor', () => {
  expect(kernelArguments(command)).toContain('mitigations=off')
  expect(kernelArguments({ ...command, acceleration: 'kvm' })).not.toContain('mitigations=off')
})

it.each([
  ['that a snapshot will be made of, in its file', 'file', 'share=on', []],
  [
    'over the file of a snapshot, to read it alone',
    'image',
    'share=off,readonly=on,rom=off',
    ['defer'],
  ],
  ['over a copy of that file', 'copy', 'share=off', ['defer']],
] as const)('has the memory of a machine %s', (_, memory, opening, incoming) => {
  const args = qemuArguments({ ...command, memory })
  expect(after(args, '-object')).toEqual([
    `memory-backend-file,mem-path=/m/memory,${opening},id=memory,size=128M`,
  ])
  expect(after(args, '-incoming')).toEqual(incoming)
  expect(after(args, '-M').join()).toMatch(/,memory-backend=memory$/)
})

it('calls the host over vsock, through memory that is shared with the device', () => {
  const vsock = { ...command, wire: 'vsock' } as const
  const args = qemuArguments(vsock)
  expect(after(args, '-device')).toContain(
    'vhost-user-vsock-device,chardev=host,bus=virtio-mmio-bus.0',
  )
  expect(args.join(' ')).not.toContain('virtserialport')
  expect(after(args, '-object')).toEqual(['memory-backend-memfd,share=on,id=memory,size=128M'])
  expect(after(args, '-M').join()).toMatch(/,rtc=on,memory-backend=memory$/)
  expect(kernelArguments(vsock)).toContain('aegis.wire=vsock:1024')
})

it('has ACPI only for a kernel that finds its disks there', () => {
  const machine = (needsAcpi?: true) =>
    after(
      qemuArguments({ ...command, kernel: { arguments: [], ...(needsAcpi && { needsAcpi }) } }),
      '-M',
    )
  expect(machine()).toEqual(['microvm,acpi=off,pit=on,pic=on,rtc=on'])
  expect(machine(true)).toEqual(['microvm,acpi=on,pit=on,pic=on,rtc=on'])
})
