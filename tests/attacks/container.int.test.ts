import { createConnection } from 'node:net'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { hostKinds } from '../contract/hosts/host-kinds.ts'
import { openHostScene } from '../contract/hosts/host-scene.ts'
import { describeOnHosts } from '../contract/hosts/sandbox-host.ts'
import { compilePayload, openAttackBox, shareAttackBox } from './attack-box.ts'

const containerKinds = hostKinds.filter((kind) => kind.containers)

describeOnHosts(containerKinds, 'inside a container', (kind) => {
  const scene = openHostScene(kind)

  describe('the engine', () => {
    const box = shareAttackBox(scene)
    const socketPath = () => {
      const { choice } = scene.host
      if (choice?.runtime !== 'docker') throw new Error('A container has an engine')
      return choice.engine.replace('unix://', '')
    }

    it('is out of reach, by its own socket and by the usual ones', async () => {
      const mine = createConnection(socketPath())
      await new Promise((resolve) => mine.once('connect', resolve))
      mine.destroy()
      const script = `
        for (const path of process.argv.slice(1))
          require('node:net').connect(path)
            .on('connect', () => console.log('connected', path)).on('error', () => {})`
      const usual = ['/var/run/docker.sock', '/run/docker.sock', '/run/containerd/containerd.sock']
      const { stdout, exit } = await box().node(script, socketPath(), ...usual)
      expect([stdout.toString(), exit.code]).toEqual(['', 0])
      expect((await box().sh('find / -xdev -type s 2>/dev/null')).stdout.toString()).toBe('')
    })

    it.each([2375, 2376, 4243])('listens at no port here: %i', async (port) => {
      const script = `require('node:net').connect(Number(process.argv[1]), '127.0.0.1')
        .on('connect', () => console.log('connected')).on('error', (e) => console.log(e.code))`
      const { stdout } = await box().node(script, `${port}`)
      expect(stdout.toString()).toBe('ECONNREFUSED\n')
    })

    it('keeps its files to itself', async () => {
      const script = 'for p in "$@"; do test -e "$p" && echo "$p"; done; true'
      const places = ['/var/lib/docker', '/run/docker', '/run/containerd', scene.host.home]
      expect((await box().sh(script, ...places)).stdout.toString()).toBe('')
    })
  })

  describe('the kernel’s files', () => {
    const box = shareAttackBox(scene)

    it('of cgroups cannot be written, nor groups be made', async () => {
      const { stdout } = await box().sh(`
        find /sys/fs/cgroup -type d 2>/dev/null | while read d; do
          mkdir "$d/mine" 2>/dev/null && echo "$d/mine"; done
        find /sys/fs/cgroup -type f 2>/dev/null | while read f; do
          (echo 1 > "$f") 2>/dev/null && echo "$f"; done; true`)
      expect(stdout.toString()).toBe('')
    })

    it('of /sys cannot be written', async () => {
      const { stdout } = await box().sh('find /sys -type f -writable 2>/dev/null')
      expect(stdout.toString()).toBe('')
    })

    it.each([
      '/proc/sys/kernel/core_pattern',
      '/proc/sys/kernel/modprobe',
      '/proc/sys/vm/panic_on_oom',
      '/proc/sys/fs/binfmt_misc/register',
      '/sys/kernel/uevent_helper',
      '/sys/fs/cgroup/release_agent',
      '/sys/fs/cgroup/memory/release_agent',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes',
      '/sys/fs/cgroup/memory.max',
      '/sys/fs/cgroup/pids/pids.max',
    ])('that would act outside refuse: %s', async (path) => {
      const { stdout } = await box().sh('(echo "|/tmp/x" > "$1") 2>/dev/null && echo written', path)
      expect(stdout.toString()).toBe('')
    })

    it('can be covered by no mount of the agent', async () => {
      const { stdout } = await box().sh(
        'mount -t tmpfs none /proc/sys; mount -o remount,rw /sys; umount /proc/kcore; cat /proc/self/mountinfo',
      )
      expect(stdout.toString()).not.toMatch(
        / \/sys [^\n]*\brw,[^\n]* - sysfs| \/proc\/sys [^\n]*tmpfs/,
      )
    })
  })

  describe('the image', () => {
    afterEach(() => scene.host.tidy())
    let probe: Uint8Array
    beforeAll(async () => {
      probe = await compilePayload('probe')
    })
    const bootFrom = async (...made: Parameters<NonNullable<typeof scene.host.images>['make']>) => {
      const image = await scene.host.images?.make(...made)
      if (image === undefined) throw new Error('A container boots from an image')
      return openAttackBox(
        scene.host,
        { interpreter: { language: 'javascript', version: '18', image } },
        { probe },
      )
    }

    it('makes nobody root, by the owner and mode of a program', async () => {
      const path = '/usr/local/bin/rootly'
      const box = await bootFrom([], [{ path, content: probe, mode: 0o6755 }])
      expect((await box.sh('find "$1" -perm -4000 -user 0', path)).stdout.toString()).toBe(
        `${path}\n`,
      )
      for (const attempt of ['be_root', 'become_root'])
        expect((await box.sh('"$@"', path, attempt)).stdout.toString()).toMatch(/^E(PERM|INVAL)\n$/)
    })

    it('opens no disk of the host, by a device that it brings', async () => {
      // Any that this machine has, by its number.
      const devices = [7, 8, 254, 259].map((major) => ({
        path: `/disk-${major}`,
        content: { major, minor: 0 },
        mode: 0o666,
      }))
      const box = await bootFrom([], devices)
      const { stdout } = await box.sh(
        'for d in /disk-*; do head -c 1 $d > /dev/null 2>&1 && echo $d; done; true',
      )
      expect(stdout.toString()).toBe('')
    })

    it('does not take the place of the guest', async () => {
      const path = kind.guestPlace
      const content = Buffer.from('#!/bin/sh\nexec sleep 1000\n')
      const box = await bootFrom([], [{ path, content, mode: 0o755 }])
      const { stdout } = await box.sh('head -c 4 "$1" | tail -c 3', path)
      expect(stdout.toString()).toBe('ELF')
    })

    it('loads no library of its own into the guest', async () => {
      const box = await bootFrom(
        ['ENV LD_PRELOAD=/evil.so', 'ENV LD_LIBRARY_PATH=/evil', 'ENV LD_AUDIT=/evil.so'],
        [{ path: '/etc/ld.so.preload', content: Buffer.from('/evil.so\n'), mode: 0o644 }],
      )
      expect((await box.sh('echo alive')).stdout.toString()).toBe('alive\n')
    })
  })

  describe('a neighbour', () => {
    afterEach(() => scene.host.tidy())

    it('is neither seen nor reached, by name, by process or by shared memory', async () => {
      const victim = await openAttackBox(scene.host)
      await victim.sh('echo dear diary > /dev/shm/diary')
      const thief = await openAttackBox(scene.host)
      const { stdout } = await thief.sh(`
        for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done 2>/dev/null | grep -c ^${kind.guestPlace}
        cat /dev/shm/diary 2>/dev/null; cat /proc/sysvipc/shm 2>/dev/null | tail -n +2
        getent hosts ${victim.sandbox.id}; true`)
      expect(stdout.toString()).toBe('1\n')
    })
  })
})
