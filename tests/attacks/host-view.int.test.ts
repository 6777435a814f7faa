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
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { hostKinds } from '../contract/hosts/host-kinds.ts'
import { never, openHostScene } from '../contract/hosts/host-scene.ts'
import { describeOnHosts } from '../contract/hosts/sandbox-host.ts'
import { openAttackBox, shareAttackBox } from './attack-box.ts'
import { sights } from './sights.ts'

const secret = `secret-${process.pid}`
const asRoot = process.getuid?.() === 0

describeOnHosts(hostKinds, 'inside a sandbox', (kind) => {
  const scene = openHostScene(kind)
  const hasImage = kind.bootsImages
  const sight = sights[kind.name] ?? expect.unreachable(kind.name)
  beforeAll(() => writeFile(join(scene.host.home, secret), 'the key to everything'))

  describe('files of the host', () => {
    const box = shareAttackBox(scene)

    it.each(
      hasImage
        ? // What an image has of these is its own, as is what the file system of its disk adds.
          ['/etc/shadow', '/etc/machine-id', '/var/lib/docker', '/run/docker'].concat(
            kind.ownKernel ? [] : ['/lost+found'],
          )
        : [
            '/etc/shadow',
            '/etc/hostname',
            '/root',
            '/home',
            '/var',
            '/boot',
            '/run',
            '/srv',
            '/mnt',
          ],
    )('are not there: %s', async (path) => {
      expect((await box().sh('test -e "$1"', path)).exit.code).not.toBe(0)
    })

    it('in AEGIS_HOME are not there, by no path', async () => {
      const { stdout, exit } = await box().sh(
        'cat "$1/$2"; find / -path /usr -prune -o -name "$2" -print 2>/dev/null; cd "$1" && echo *',
        scene.host.home,
        secret,
      )
      expect(exit.code).not.toBe(0)
      expect(stdout.toString()).toBe('')
    })

    it('cannot be reached through the read-only parts, whatever the path', async () => {
      const paths = [
        '/usr/../etc/shadow',
        '/opt/aegis/etc/../../../etc/shadow',
        '/proc/1/root/etc/shadow',
        '/proc/self/cwd/../etc/shadow',
        '/oldroot/etc/shadow',
        '/newroot/etc/shadow',
      ]
      for (const path of paths)
        expect((await box().sh('cat "$1"', path)).stdout.toString()).toBe('')
    })

    it('cannot be changed where they are visible', async () => {
      const { stdout } = await box().sh(
        'find / -writable -not -path "/proc/*" -not -type l 2>/dev/null; for d in /usr /usr/bin /opt/aegis/bin /opt/aegis/etc /etc /; do touch $d/mark 2>/dev/null && echo $d; done; true',
      )
      // Devices and the terminals' file system, where nothing can be stored, and what has a size.
      const devices = ['full', 'null', 'random', 'tty', 'urandom', 'zero', ...sight.writable]
      expect(stdout.toString().trim().split('\n').sort()).toEqual(
        [...devices.map((name) => `/dev/${name}`), '/dev/shm', '/tmp', '/workspace'].sort(),
      )
    })

    it('do not name the host or its users', async () => {
      const { stdout } = await box().sh(
        'hostname 2>/dev/null || cat /proc/sys/kernel/hostname; cat /etc/passwd; id -u; id -g',
      )
      expect(stdout.toString()).not.toContain(hostname())
      expect(stdout.toString()).toMatch(sight.identity)
    })
  })

  describe('files', () => {
    afterEach(() => scene.host.tidy())

    it('of another sandbox are not there', async () => {
      const victim = await openAttackBox(scene.host)
      const name = 'private-diary'
      const places = ['/workspace', '/tmp', '/dev/shm']
      await victim.sh('for d in /workspace /tmp /dev/shm; do echo dear diary > $d/$1; done', name)
      const thief = await openAttackBox(scene.host)
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

  describe.runIf(kind.lends)('host paths that were asked for', () => {
    afterEach(() => scene.host.tidy())

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
      const box = await openAttackBox(scene.host, { filesystem: { read: [path] } })
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
      const box = await openAttackBox(scene.host, { filesystem: { write: [path] } })
      expect((await box.sh('echo result > "$1/out"', path)).exit.code).toBe(0)
      expect(await readFile(join(path, 'out'), 'utf8')).toBe('result\n')
    })

    it.runIf(asRoot)('are used as their owner would, whose files the results are', async () => {
      const path = await directory()
      await chmod(path, 0o700)
      await chown(path, 4321, 4321)
      const box = await openAttackBox(scene.host, { filesystem: { write: [path] } })
      await box.sh('echo result > "$1/out"; chown 0:0 "$1/out"', path)
      expect(await stat(join(path, 'out'))).toMatchObject({ uid: 4321, gid: 4321 })
    })

    it.runIf(asRoot)('are not lent by root, and the refusal says what to do', async () => {
      const path = await directory()
      await chmod(path, 0o755)
      const spec = scene.host.spec({ filesystem: { write: [path] } })
      await expect(scene.host.runtime.boot(spec, never)).rejects.toMatchObject({
        kind: 'denied',
        code: 'filesystem.permission',
        message: expect.stringContaining('chown'),
      })
      await chmod(path, 0o700)
      const reading = scene.host.spec({ filesystem: { read: [path] } })
      await expect(scene.host.runtime.boot(reading, never)).rejects.toMatchObject({
        kind: 'denied',
      })
    })

    it('do not lead out through links that the agent makes', async () => {
      const path = await directory()
      await writeFile(join(scene.host.home, 'bait'), 'untouched')
      const box = await openAttackBox(scene.host, { filesystem: { write: [path] } })
      const script =
        'ln -s "$2/bait" "$1/link"; echo mine > "$1/link"; cat "$1/link" /proc/self/fd/0'
      await box.sh(script, path, scene.host.home)
      expect(await readFile(join(scene.host.home, 'bait'), 'utf8')).toBe('untouched')
      const next = scene.host.spec({ filesystem: { read: [join(path, 'link')] } })
      await expect(scene.host.runtime.boot(next, never)).rejects.toThrow('symbolic link')
    })

    it('never grant a setuid program of the agent to anybody', async () => {
      const path = await directory()
      const box = await openAttackBox(scene.host, { filesystem: { write: [path] } })
      const { stdout } = await box.sh(
        'cp /usr/bin/id "$1/id"; chmod 4755 "$1/id"; "$1/id" -u; id -u; grep " $1 " /proc/mounts',
        path,
      )
      expect(stdout.toString()).toMatch(/^([1-9]\d*)\n\1\n/)
      expect(stdout.toString()).toMatch(sight.lent)
      expect((await stat(join(path, 'id'))).mode & 0o6000).toBe(0)
    })

    it.each([
      '/',
      '/proc',
      '/sys',
      '/dev',
      '/run',
    ])('are refused for %s, whoever allowed it', async (path) => {
      const spec = scene.host.spec({ filesystem: { read: [path] } })
      await expect(scene.host.runtime.boot(spec, never)).rejects.toMatchObject({
        code: 'filesystem.protected',
      })
    })

    it('are refused for AEGIS_HOME and all around it', async () => {
      const { home, choice } = scene.host
      const options = choice !== undefined && 'options' in choice ? choice.options : undefined
      const stateDirectory = options?.stateDirectory ?? home
      for (const path of [home, stateDirectory, tmpdir()]) {
        const spec = scene.host.spec({ filesystem: { write: [path] } })
        await expect(scene.host.runtime.boot(spec, never)).rejects.toMatchObject({ kind: 'denied' })
      }
      const link = join(await directory(), 'link')
      await symlink(scene.host.home, link)
      const spec = scene.host.spec({ filesystem: { read: [link] } })
      await expect(scene.host.runtime.boot(spec, never)).rejects.toMatchObject({ kind: 'invalid' })
    })
  })

  describe('processes', () => {
    const box = shareAttackBox(scene)

    it('of the host are not visible', async () => {
      const { stdout } = await box().sh(
        'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done 2>/dev/null',
      )
      expect(stdout.toString()).not.toMatch(/vitest|bwrap|systemd|init/)
      expect(stdout.toString().split('\n').filter(Boolean).length).toBeLessThan(6)
    })

    it('of the host cannot be signalled', async () => {
      const neighbour = spawn('sleep', ['1000'])
      onTestFinished(() => void neighbour.kill())
      await box().sh(
        'kill -9 $1; kill -9 $2; kill -9 $3',
        `${neighbour.pid}`,
        `${process.pid}`,
        `${process.ppid}`,
      )
      await box().sh('kill -9 -1')
      expect(neighbour.exitCode ?? neighbour.signalCode).toBeNull()
    })

    it('keep no privilege', async () => {
      const { stdout } = await box().sh(
        'grep -E "^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|Seccomp):" /proc/self/status',
      )
      const privileges = ['CapInh', 'CapPrm', 'CapEff', 'CapAmb', 'NoNewPrivs', 'Seccomp']
      const values: Readonly<Record<string, string>> = { NoNewPrivs: '1', Seccomp: '2' }
      const expected = privileges.map((name) => `${name}:\t${values[name] ?? '0000000000000000'}`)
      expect(stdout.toString().trim().split('\n')).toEqual(
        expected.filter((line) => !sight.untold.test(line)),
      )
    })

    it('gain nothing from setuid programs', async () => {
      const script =
        'for p in $(find /usr/bin /usr/sbin -perm -4000 2>/dev/null); do echo $p; done; su -c id; mount -t tmpfs none /tmp; passwd -d agent; true'
      const { stdout } = await box().sh(script)
      expect(stdout.toString()).not.toMatch(/uid=0/)
    })

    it('inherit no file of the daemon or the guest', async () => {
      const { stdout } = await box().sh('cd /proc/self/fd && for fd in *; do echo $fd; done')
      const open = stdout.toString().trim().split('\n')
      expect(open.filter((fd) => Number(fd) > 3)).toEqual([])
    })

    it('see no environment of the daemon', async () => {
      const { stdout } = await box().sh(
        'env; cat /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n"',
      )
      const lines = stdout.toString().split('\n')
      const names = new Set(lines.map((line) => line.split('=')[0]))
      // HOSTNAME is `sandbox`, and what the engine gives the guest.
      const known = /^(PATH|HOME|PWD|OLDPWD|SHLVL|HOSTNAME|_)$/
      expect([...names].filter((name) => name && !known.test(name))).toEqual([])
    })
  })

  describe('processes', () => {
    afterEach(() => scene.host.tidy())

    it.runIf(sight.guestStays)('may signal the guest as they like, and it lives', async () => {
      const box = await openAttackBox(scene.host)
      const { exit } = await box.sh(
        'for s in KILL TERM STOP INT HUP QUIT SEGV USR1 USR2 ABRT; do kill -$s 1; done; exit 7',
      )
      expect(exit).toMatchObject({ code: 7, cause: undefined })
      expect((await box.sh('exit 0')).exit.code).toBe(0)
    })

    it.runIf(!sight.guestStays)('end their own sandbox with the guest, and no other', async () => {
      const [box, neighbour] = [await openAttackBox(scene.host), await openAttackBox(scene.host)]
      await box.sh('kill -KILL 1')
      expect(await box.sandbox.ended).toMatch(/^(sandbox_lost|memory_limit)$/)
      expect((await neighbour.sh('exit 0')).exit.code).toBe(0)
    })

    it.runIf(asRoot && !hasImage)(
      'run as a host user of their own, another for each sandbox',
      async () => {
        const hostUids = async () => {
          const box = await openAttackBox(scene.host)
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
        await scene.host.tidy()
      },
    )
  })

  describe('/proc, /sys and /dev', () => {
    const box = shareAttackBox(scene)

    it('let nobody write a kernel setting', async () => {
      const { stdout } = await box().sh(
        'find /proc/sys -type f 2>/dev/null | while read f; do v=$(cat $f 2>/dev/null); (echo "$v" > $f) 2>/dev/null && echo $f; done; true',
      )
      expect(stdout.toString()).toBe('')
    })

    const secrets = [
      ...['/proc/sysrq-trigger', '/proc/kcore', '/proc/kmsg', '/proc/keys', '/proc/cmdline'],
      ...['/proc/interrupts', '/proc/kpagecount', '/proc/slabinfo', '/proc/timer_list'],
    ]
    it.each(
      secrets.filter((path) => !sight.invented.includes(path)),
    )('keep the secrets of the kernel: %s', async (path) => {
      const { stdout } = await box().sh(
        // What is covered by /dev/null may be written.
        'head -c 10 "$1" 2>/dev/null; test -c "$1" || { (echo h > "$1") 2>/dev/null && echo written; }',
        path,
      )
      expect(stdout.toString()).toBe('')
    })

    it('show no kernel address', async () => {
      const { stdout } = await box().sh(
        'cut -d" " -f1 /proc/kallsyms 2>/dev/null | sort -u | head -3',
      )
      expect(stdout.toString().replace(/^0+\n?$/, '')).toBe('')
    })

    it.runIf(!hasImage)('offer no /sys and no cgroup file', async () => {
      expect((await box().sh('cat /sys/* /sys/fs/cgroup/*')).exit.code).not.toBe(0)
      const { stdout } = await box().sh('cut -d" " -f2,3 /proc/mounts')
      expect(stdout.toString()).not.toMatch(/cgroup|sysfs/)
    })

    it('offer no other mount of the kernel', async () => {
      const { stdout } = await box().sh('cut -d" " -f2,3,4 /proc/mounts')
      expect(stdout.toString()).not.toMatch(/debugfs|securityfs|bpf|tracefs|fuse|configfs/)
      // Where the kernel shows itself at all, it only shows.
      expect(stdout.toString()).not.toMatch(/(cgroup2?|sysfs) rw/)
    })

    it('offer harmless devices only', async () => {
      const { stdout } = await box().sh(
        'for f in $(find /dev); do if test -b $f || test -c $f; then echo $f; fi; done',
      )
      const harmless = [
        'full',
        'null',
        'ptmx',
        'random',
        'tty',
        'urandom',
        'zero',
        ...sight.writable,
      ]
      const paths = stdout.toString().trim().split('\n')
      const found = paths.map((path) => path.replace(/^\/dev\/(pts\/)?/, ''))
      expect(found.filter((name) => !harmless.includes(name))).toEqual([])
    })
  })
})
