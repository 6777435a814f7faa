import { execFile, spawn } from 'node:child_process'
import {
  chmod,
  chown,
  mkdtemp,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  openProcessHost,
  type ProcessHost,
  whyNoProcessHost,
} from '../contract/hosts/process-host.ts'
import { specWith } from '../contract/sandbox-driver.ts'
import { openAttackBox } from './attack-box.ts'

const never = new AbortController().signal
const why = await whyNoProcessHost()
const secret = `secret-${process.pid}`
const asRoot = process.getuid?.() === 0

describe.skipIf(why)(`inside a sandbox${why ? ` (${why})` : ''}`, () => {
  let host: ProcessHost
  beforeAll(async () => {
    host = await openProcessHost()
    await writeFile(join(host.home, secret), 'the key to everything')
  })
  afterEach(() => host.tidy())
  afterAll(() => host?.[Symbol.asyncDispose]())

  describe('files of the host', () => {
    it.each([
      '/etc/shadow',
      '/etc/hostname',
      '/root',
      '/home',
      '/var',
      '/boot',
      '/run',
      '/srv',
      '/mnt',
    ])('are not there: %s', async (path) => {
      const box = await openAttackBox(host)
      expect((await box.sh('test -e "$1"', path)).exit.code).not.toBe(0)
    })

    it('in AEGIS_HOME are not there, by no path', async () => {
      const box = await openAttackBox(host)
      const { stdout, exit } = await box.sh(
        'cat "$1/$2"; find / -path /usr -prune -o -name "$2" -print 2>/dev/null; ls "$1"',
        host.home,
        secret,
      )
      expect(exit.code).not.toBe(0)
      expect(stdout.toString()).toBe('')
    })

    it('cannot be reached through the read-only parts, whatever the path', async () => {
      const box = await openAttackBox(host)
      const paths = [
        '/usr/../etc/shadow',
        '/opt/aegis/etc/../../../etc/shadow',
        '/proc/1/root/etc/shadow',
        '/proc/self/cwd/../etc/shadow',
        '/oldroot/etc/shadow',
        '/newroot/etc/shadow',
      ]
      for (const path of paths) expect((await box.sh('cat "$1"', path)).stdout.toString()).toBe('')
    })

    it('cannot be changed where they are visible', async () => {
      const box = await openAttackBox(host)
      const { stdout } = await box.sh(
        'find / -writable -not -path "/proc/*" -not -type l 2>/dev/null; for d in /usr /usr/bin /opt/aegis/bin /opt/aegis/etc /etc /; do touch $d/mark 2>/dev/null && echo $d; done; true',
      )
      // Devices and the terminals' file system, where nothing can be stored, and what has a size.
      const devices = ['full', 'null', 'pts', 'pts/ptmx', 'random', 'tty', 'urandom', 'zero']
      expect(stdout.toString().trim().split('\n').sort()).toEqual(
        [...devices.map((name) => `/dev/${name}`), '/dev/shm', '/tmp', '/workspace'].sort(),
      )
      const guest = await readFile(host.options.guestPath)
      expect((await box.sh('echo x >> /opt/aegis/guest')).exit.code).not.toBe(0)
      expect((await readFile(host.options.guestPath)).equals(guest)).toBe(true)
    })

    it('do not name the host or its users', async () => {
      const box = await openAttackBox(host)
      const { stdout } = await box.sh(
        'hostname 2>/dev/null || cat /proc/sys/kernel/hostname; cat /etc/passwd; id -u; id -g',
      )
      expect(stdout.toString()).not.toContain(hostname())
      expect(stdout.toString()).toMatch(/^sandbox\nagent:x:1000:.*\nnobody:.*\n1000\n1000\n$/)
    })

    it('of another sandbox are not there', async () => {
      const victim = await openAttackBox(host)
      const name = 'private-diary'
      const places = ['/workspace', '/tmp', '/dev/shm']
      await victim.sh('for d in /workspace /tmp /dev/shm; do echo dear diary > $d/$1; done', name)
      const thief = await openAttackBox(host)
      const { stdout } = await thief.sh(
        'find / -path /usr -prune -o -name "$1" -print 2>/dev/null; cat /workspace/$1 /tmp/$1 /dev/shm/$1 2>/dev/null',
        name,
      )
      expect(stdout.toString()).toBe('')
      for (const place of places)
        expect(
          Buffer.from(await victim.sandbox.readFile(`${place}/${name}`, 99, never)).toString(),
        ).toBe('dear diary\n')
    })
  })

  describe('host paths that were asked for', () => {
    const directory = async () => {
      const path = await realpath(await mkdtemp(join(tmpdir(), 'granted-')))
      onTestFinished(() => rm(path, { recursive: true }))
      // Sandboxes of a root daemon are strangers to this directory, as to all others.
      await chmod(path, 0o777)
      return path
    }

    it('to read are readable and not writable', async () => {
      const path = await directory()
      await writeFile(join(path, 'data'), 'rows')
      const box = await openAttackBox(host, { filesystem: { read: [path] } })
      const { stdout, exit } = await box.sh(
        'cat "$1/data"; echo more >> "$1/data" || touch "$1/new"',
        path,
      )
      expect(stdout.toString()).toBe('rows')
      expect(exit.code).not.toBe(0)
      expect(await readFile(join(path, 'data'), 'utf8')).toBe('rows')
    })

    it('to write are writable, at the same path', async () => {
      const path = await directory()
      const box = await openAttackBox(host, { filesystem: { write: [path] } })
      expect((await box.sh('echo result > "$1/out"', path)).exit.code).toBe(0)
      expect(await readFile(join(path, 'out'), 'utf8')).toBe('result\n')
    })

    it.runIf(asRoot)('are used as their owner would, whose files the results are', async () => {
      const path = await directory()
      await chmod(path, 0o700)
      await chown(path, 4321, 4321)
      const box = await openAttackBox(host, { filesystem: { write: [path] } })
      await box.sh('echo result > "$1/out"; chown 0:0 "$1/out"', path)
      expect(await stat(join(path, 'out'))).toMatchObject({ uid: 4321, gid: 4321 })
    })

    it.runIf(asRoot)('are not lent by root, and the refusal says what to do', async () => {
      const path = await directory()
      await chmod(path, 0o755)
      const spec = specWith({ filesystem: { write: [path] } })
      await expect(host.runtime.boot(spec, never)).rejects.toMatchObject({
        kind: 'denied',
        code: 'filesystem.permission',
        message: expect.stringContaining('chown'),
      })
      await chmod(path, 0o700)
      const reading = specWith({ filesystem: { read: [path] } })
      await expect(host.runtime.boot(reading, never)).rejects.toMatchObject({ kind: 'denied' })
    })

    it('do not lead out through links that the agent makes', async () => {
      const path = await directory()
      await writeFile(join(host.home, 'bait'), 'untouched')
      const box = await openAttackBox(host, { filesystem: { write: [path] } })
      const script =
        'ln -s "$2/bait" "$1/link"; echo mine > "$1/link"; cat "$1/link" /proc/self/fd/0'
      await box.sh(script, path, host.home)
      expect(await readFile(join(host.home, 'bait'), 'utf8')).toBe('untouched')
      const next = specWith({ filesystem: { read: [join(path, 'link')] } })
      await expect(host.runtime.boot(next, never)).rejects.toThrow('symbolic link')
    })

    it('never grant a setuid program of the agent to anybody', async () => {
      const path = await directory()
      const box = await openAttackBox(host, { filesystem: { write: [path] } })
      const { stdout } = await box.sh(
        'cp /usr/bin/id "$1/id"; chmod 4755 "$1/id"; "$1/id" -u; grep " $1 " /proc/mounts',
        path,
      )
      expect(stdout.toString()).toMatch(/^1000\n.*nosuid,nodev/)
    })

    it.each([
      '/',
      '/proc',
      '/sys',
      '/dev',
      '/run',
    ])('are refused for %s, whoever allowed it', async (path) => {
      const spec = specWith({ filesystem: { read: [path] } })
      await expect(host.runtime.boot(spec, never)).rejects.toMatchObject({
        code: 'filesystem.protected',
      })
    })

    it('are refused for AEGIS_HOME and all around it', async () => {
      for (const path of [host.home, join(host.home, 'runtime-process'), tmpdir()]) {
        const spec = specWith({ filesystem: { write: [path] } })
        await expect(host.runtime.boot(spec, never)).rejects.toMatchObject({ kind: 'denied' })
      }
      const link = join(await directory(), 'link')
      await symlink(host.home, link)
      const spec = specWith({ filesystem: { read: [link] } })
      await expect(host.runtime.boot(spec, never)).rejects.toMatchObject({ kind: 'invalid' })
    })
  })

  describe('a read-only /workspace', () => {
    it('holds the files that were put in, and refuses the agent', async () => {
      const box = await openAttackBox(host, { filesystem: { readOnly: true } })
      const content = Buffer.from('do not edit')
      await box.sandbox.writeFiles([{ path: '/workspace/deep/note', content, mode: 0o600 }], never)
      const { stdout, exit } = await box.sh(
        'cat deep/note; echo x > new || rm deep/note || chmod 777 deep || mkdir a',
      )
      expect(stdout.toString()).toBe('do not edit')
      expect(exit.code).not.toBe(0)
      expect((await box.sh('echo x > /tmp/new')).exit.code).toBe(0)
    })

    it('cannot be put elsewhere by a clever path', async () => {
      const box = await openAttackBox(host, { filesystem: { readOnly: true } })
      const file = { path: '/workspace/../../../../tmp/escaped', content: Buffer.from('x') }
      await box.sandbox.writeFiles([file], never).catch(() => {})
      expect((await box.sh('ls /workspace')).stdout.toString()).toBe('')
      await expect(readFile('/tmp/escaped')).rejects.toThrow('ENOENT')
    })

    it('has the size of the disk', async () => {
      const box = await openAttackBox(host, {
        filesystem: { readOnly: true },
        limits: { diskBytes: 4096 },
      })
      const file = { path: '/workspace/big', content: new Uint8Array(5000) }
      await expect(box.sandbox.writeFiles([file], never)).rejects.toMatchObject({
        kind: 'exhausted',
      })
    })
  })

  describe('processes', () => {
    it('of the host are not visible', async () => {
      const box = await openAttackBox(host)
      const { stdout } = await box.sh(
        'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done 2>/dev/null',
      )
      expect(stdout.toString()).not.toMatch(/vitest|bwrap|systemd|init/)
      expect(stdout.toString().split('\n').filter(Boolean).length).toBeLessThan(6)
    })

    it('of the host cannot be signalled', async () => {
      const neighbour = spawn('sleep', ['1000'])
      onTestFinished(() => void neighbour.kill())
      const box = await openAttackBox(host)
      await box.sh(
        'kill -9 $1; kill -9 $2; kill -9 $3',
        `${neighbour.pid}`,
        `${process.pid}`,
        `${process.ppid}`,
      )
      await box.sh('kill -9 -1')
      expect(neighbour.exitCode ?? neighbour.signalCode).toBeNull()
    })

    it('may signal the guest as they like, and it lives', async () => {
      const box = await openAttackBox(host)
      const { exit } = await box.sh(
        'for s in KILL TERM STOP INT HUP QUIT SEGV USR1 USR2 ABRT; do kill -$s 1; done; exit 7',
      )
      expect(exit).toMatchObject({ code: 7, cause: undefined })
      expect((await box.sh('exit 0')).exit.code).toBe(0)
    })

    it.runIf(asRoot)('run as a host user of their own, another for each sandbox', async () => {
      const hostUids = async () => {
        const box = await openAttackBox(host)
        const marker = `${Math.random()}`
        const running = await box.sandbox.exec(
          {
            argv: ['/bin/sh', '-c', 'echo ready; sleep 1000', marker],
            env: { PATH: '/bin' },
            cwd: '/',
          },
          never,
        )
        for await (const _ of running.stdout) break
        const { stdout } = await promisify(execFile)('ps', ['-eo', 'uid=,args='])
        return stdout
          .split('\n')
          .filter((line) => line.includes(marker))
          .map((line) => Number.parseInt(line, 10))
      }
      const [one, two] = [await hostUids(), await hostUids()]
      expect(one[0]).toBeGreaterThanOrEqual(1_900_000_000)
      expect(two[0]).toBeGreaterThanOrEqual(1_900_000_000)
      expect(one[0]).not.toBe(two[0])
    })

    it('keep no privilege', async () => {
      const box = await openAttackBox(host)
      const { stdout } = await box.sh(
        'grep -E "^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|Seccomp):" /proc/self/status',
      )
      expect(stdout.toString()).toBe(
        `${['CapInh', 'CapPrm', 'CapEff', 'CapAmb']
          .map((set) => `${set}:\t0000000000000000\n`)
          .join('')}NoNewPrivs:\t1\nSeccomp:\t2\n`,
      )
    })

    it('gain nothing from setuid programs', async () => {
      const box = await openAttackBox(host)
      const script =
        'for p in $(find /usr/bin /usr/sbin -perm -4000 2>/dev/null); do echo $p; done; su -c id; mount -t tmpfs none /tmp; passwd -d agent; true'
      const { stdout } = await box.sh(script)
      expect(stdout.toString()).not.toMatch(/uid=0/)
    })

    it('inherit no file of the daemon or the guest', async () => {
      const box = await openAttackBox(host)
      const { stdout } = await box.sh('exec ls /proc/self/fd')
      expect(
        stdout
          .toString()
          .trim()
          .split('\n')
          .filter((fd) => Number(fd) > 3),
      ).toEqual([])
    })

    it('see no environment of the daemon', async () => {
      const box = await openAttackBox(host)
      const { stdout } = await box.sh('env; cat /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n"')
      const names = new Set(
        stdout
          .toString()
          .split('\n')
          .map((line) => line.split('=')[0]),
      )
      expect(
        [...names].filter((name) => name && !/^(PATH|HOME|PWD|OLDPWD|SHLVL|_)$/.test(name)),
      ).toEqual([])
    })
  })

  describe('/proc, /sys and /dev', () => {
    it('let nobody write a kernel setting', async () => {
      const box = await openAttackBox(host)
      const { stdout } = await box.sh(
        'find /proc/sys -type f 2>/dev/null | while read f; do v=$(cat $f 2>/dev/null); (echo "$v" > $f) 2>/dev/null && echo $f; done; true',
      )
      expect(stdout.toString()).toBe('')
    })

    it.each([
      '/proc/sysrq-trigger',
      '/proc/kcore',
      '/proc/kmsg',
      '/proc/keys',
      '/proc/cmdline',
      '/proc/interrupts',
      '/proc/kpagecount',
      '/proc/slabinfo',
      '/proc/timer_list',
    ])('keep the secrets of the kernel: %s', async (path) => {
      const box = await openAttackBox(host)
      const { stdout } = await box.sh(
        'head -c 10 "$1" 2>/dev/null; echo h > "$1" && echo written',
        path,
      )
      expect(stdout.toString()).toBe('')
    })

    it('show no kernel address', async () => {
      const box = await openAttackBox(host)
      const { stdout } = await box.sh(
        'cut -d" " -f1 /proc/kallsyms 2>/dev/null | sort -u | head -3',
      )
      expect(stdout.toString().replace(/^0+\n?$/, '')).toBe('')
    })

    it('offer no /sys, no cgroup file and no other mount', async () => {
      const box = await openAttackBox(host)
      expect((await box.sh('ls /sys /sys/fs/cgroup')).exit.code).not.toBe(0)
      const { stdout } = await box.sh('cut -d" " -f2,3 /proc/mounts')
      expect(stdout.toString()).not.toMatch(/cgroup|sysfs|debugfs|securityfs|bpf|tracefs|fuse/)
    })

    it('offer harmless devices only', async () => {
      const box = await openAttackBox(host)
      const { stdout } = await box.sh(
        'for f in $(find /dev); do if test -b $f || test -c $f; then echo $f; fi; done',
      )
      const harmless = ['full', 'null', 'ptmx', 'random', 'tty', 'urandom', 'zero']
      const found = stdout
        .toString()
        .trim()
        .split('\n')
        .map((path) => path.replace(/^\/dev\/(pts\/)?/, ''))
      expect(found.filter((name) => !harmless.includes(name))).toEqual([])
    })
  })

  it('core dumps are not written', async () => {
    const box = await openAttackBox(host)
    const { stdout } = await box.sh('ulimit -c; sh -c "kill -SEGV \\$\\$"; ls /workspace /tmp')
    expect(stdout.toString()).toBe('0\n/tmp:\n\n/workspace:\n')
  })
})
