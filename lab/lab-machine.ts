import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { LabLine } from './inside/report.ts'
import { linePrefix } from './inside/report.ts'

export interface LabMachine {
  readonly kernelPath: string
  readonly kernelArguments: readonly string[]
  readonly diskPath: string
  readonly memoryMiB: number
}

/**
 * Boots a machine whose processor, emulated, can run machines itself (AMD's SVM), and gives what it
 * reports. Whatever else it says goes to `onWords`.
 */
export async function* runLabMachine(
  machine: LabMachine,
  onWords: (line: string) => void,
  signal: AbortSignal,
): AsyncGenerator<LabLine> {
  const child = spawn('qemu-system-x86_64', qemuArguments(machine), {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    killSignal: 'SIGKILL',
  })
  const ended = once(child, 'exit')
  // An abort is told by the reading below, which ends.
  child.on('error', () => {})
  child.stderr.on('data', (chunk: Buffer) => onWords(`qemu: ${chunk.toString().trim()}`))
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const at = line.indexOf(linePrefix)
      // Written by our own program on the console that only it uses.
      if (at >= 0) yield JSON.parse(line.slice(at + linePrefix.length)) as LabLine
      else onWords(line)
    }
  } finally {
    child.kill('SIGKILL')
    await ended.catch(() => {})
  }
}

function qemuArguments(machine: LabMachine): readonly string[] {
  const { kernelPath, kernelArguments, diskPath, memoryMiB } = machine
  return [
    ...['-M', 'microvm,pit=on,pic=on,rtc=on,acpi=off,accel=tcg', '-cpu', 'max'],
    ...['-m', `${memoryMiB}`, '-smp', '2'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', kernelPath],
    ...[
      '-append',
      [
        ...['quiet', 'panic=-1', 'reboot=t', 'console=hvc0', 'mitigations=off'],
        ...['no_timer_check', 'random.trust_cpu=on'],
        ...['root=/dev/vda', 'rootfstype=ext4', 'rw', 'init=/lab/init'],
        ...kernelArguments,
      ].join(' '),
    ],
    ...['-drive', `id=root,file=${diskPath},format=raw,if=none,cache=unsafe`],
    ...['-device', 'virtio-blk-device,drive=root'],
    ...['-device', 'virtio-rng-device', '-device', 'virtio-serial-device'],
    ...['-chardev', 'stdio,id=console', '-device', 'virtconsole,chardev=console'],
  ]
}
