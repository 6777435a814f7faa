import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { GuestKernel } from '@aegis/runtime-firecracker'

export interface BareMachine {
  readonly kernel: GuestKernel
  readonly memoryBytes: number
}

/**
 * The same kernel on the same emulated machine, with nothing of AEGIS in or around it: it finds no file
 * system to start from, gives up, and QEMU ends. Up to where a guest would begin. Gives the milliseconds
 * that this took of the processors.
 */
export async function bootBareKernel({ kernel, memoryBytes }: BareMachine): Promise<number> {
  const words = [
    ...['quiet', 'panic=-1', 'reboot=t', 'console=hvc0', 'no_timer_check', 'mitigations=off'],
    ...['random.trust_cpu=on', ...(await frequencyOf()), ...kernel.arguments],
  ]
  const qemu = spawn(
    'bash',
    [
      ...['-c', 'qemu-system-x86_64 "$@" && times', 'bash'],
      ...['-M', 'microvm,acpi=off,pit=on,pic=on,rtc=on', '-accel', 'tcg,thread=multi,tb-size=64'],
      ...['-cpu', 'max,-cx16', '-smp', '1', '-m', `${Math.ceil(memoryBytes / (1 << 20))}`],
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ...['-kernel', kernel.path, '-append', words.join(' ')],
      ...['-device', 'virtio-serial-device', '-chardev', 'stdio,id=console'],
      ...['-device', 'virtconsole,chardev=console'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const said = qemu.stdout.toArray()
  const [code] = await once(qemu, 'exit')
  const heard = Buffer.concat(await said).toString()
  if (code !== 0 || !heard.includes('Unable to mount root fs'))
    throw new Error(`The bare kernel ended with ${code}: ${heard}`)
  return processorMs(heard)
}

/** The last line of `times` is that of the shell's children: user, then system. */
function processorMs(said: string): number {
  const spent = [...(said.trim().split('\n').at(-1) ?? '').matchAll(/(\d+)m([\d.]+)s/g)]
  return spent.reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60e3 + Number(seconds) * 1e3,
    0,
  )
}

/** Without it, a kernel spends its time on finding out. */
async function frequencyOf(): Promise<readonly string[]> {
  const mhz = /^cpu MHz\s*:\s*([\d.]+)$/m.exec(await readFile('/proc/cpuinfo', 'utf8'))?.[1]
  return mhz === undefined ? [] : [`tsc_early_khz=${Math.round(Number(mhz) * 1000)}`]
}
