import { afterEach, expect, it, vi } from 'vitest'
import { makeKeyFiles } from './key-files.ts'
import type { OwnedFile, VaultDisk } from './vault-disk.ts'

const key = Buffer.alloc(32, 7)

/** A disk that has this one file. */
function diskWith(file: Partial<OwnedFile>): VaultDisk {
  const whole = { text: `${key.toString('base64')}\n`, uid: 1000, mode: 0o600, ...file }
  const nothing = async () => undefined
  return {
    read: async () => whole,
    write: nothing,
    rename: nothing,
    remove: nothing,
    settle: nothing,
  }
}

const readAs = (uid: number, file: Partial<OwnedFile>) => {
  vi.spyOn(process, 'getuid').mockReturnValue(uid)
  return makeKeyFiles('/keys/secrets.key', diskWith(file)).current()
}

afterEach(() => void vi.restoreAllMocks())

it('is read by its owner, and by root', async () => {
  expect(await readAs(1000, {})).toEqual(key)
  expect(await readAs(0, {})).toEqual(key)
})

it('is refused when it belongs to somebody else, who could exchange it', async () => {
  await expect(readAs(1001, {})).rejects.toMatchObject({
    kind: 'denied',
    code: 'secret.key-owner',
    message: expect.stringContaining('chown 1001 /keys/secrets.key'),
  })
})

it.each([0o640, 0o604, 0o660, 0o644, 0o601])('is refused with mode %o', async (mode) => {
  await expect(readAs(1000, { mode })).rejects.toMatchObject({
    kind: 'denied',
    code: 'secret.key-readable',
    message: expect.stringContaining('chmod 600 /keys/secrets.key'),
  })
})

it.each([
  '',
  'AAAA',
  `${key.toString('base64')}AAAA`,
  key.toString('hex'),
])('is refused when it holds no key: %j', async (text) => {
  await expect(readAs(1000, { text })).rejects.toMatchObject({ code: 'secret.key-malformed' })
})
