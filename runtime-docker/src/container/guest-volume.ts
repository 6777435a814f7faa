import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { abortable } from '@aegis/sandbox'
import type { EngineClient } from '../engine/engine-client.ts'
import { refusalOf } from '../engine/engine-failure.ts'
import type { Owner } from './owner.ts'
import type { Reaper } from './reaper.ts'
import { tarOf } from './tar-archive.ts'

/** Where the guest lies in every container. */
export const guestDirectory = '/.aegis'
export const guestProgram = `${guestDirectory}/guest`

/**
 * The guest program on the engine: a volume that all containers mount read-only. It gets there by
 * an upload, so that it makes no difference where the engine runs.
 */
export interface GuestVolume extends AsyncDisposable {
  /** Its name, once the guest is in it. `image` is any that the engine has. */
  ready(image: string, signal: AbortSignal): Promise<string>
  /** It was removed behind our back: the next `ready` makes it again. */
  forget(): void
}

interface Deps {
  readonly client: EngineClient
  readonly owner: Owner
  readonly guestPath: string
  readonly reaper: Reaper
}

export function makeGuestVolume({ client, owner, guestPath, reaper }: Deps): GuestVolume {
  let filling: Promise<string> | undefined
  let made: string | undefined

  // Nobody's signal: all boots that begin meanwhile wait for the same.
  const never = new AbortController().signal
  const fill = async (image: string): Promise<string> => {
    const guest = await readFile(guestPath)
    const digest = createHash('sha256').update(guest).digest('hex').slice(0, 12)
    const volume = owner.guest(digest)
    made = volume
    const body = { Name: volume, Labels: owner.labels('guest') }
    await client.run({ method: 'POST', path: '/volumes/create', body }, never)
    const archive = tarOf([{ path: 'guest', content: guest, mode: 0o755, uid: 0, gid: 0 }])
    const carrier = { client, owner, reaper, volume, image, directory: guestDirectory }
    await using open = await openCarrier(carrier, never)
    await open.upload(archive, never)
    return volume
  }

  return {
    async ready(image, signal) {
      const turn = filling ?? fill(image)
      filling = turn
      turn.catch(() => {
        if (filling === turn) filling = undefined
      })
      return abortable(turn, signal)
    },
    forget() {
      filling = undefined
    },
    async [Symbol.asyncDispose]() {
      await filling?.catch(() => {})
      if (made !== undefined) await reaper.remove([{ kind: 'volume', name: made }])
    },
  }
}

/** A container that never runs: the engine unpacks archives into what it has mounted. */
export interface Carrier extends AsyncDisposable {
  upload(tar: Uint8Array, signal: AbortSignal): Promise<void>
}

interface CarrierOptions extends Omit<Deps, 'guestPath'> {
  readonly volume: string
  readonly image: string
  /** Where the volume is mounted. */
  readonly directory: string
}

export async function openCarrier(options: CarrierOptions, signal: AbortSignal): Promise<Carrier> {
  const { client, owner, reaper, volume, image, directory } = options
  const name = owner.carrier(volume)
  const leftover = { kind: 'container', name } as const
  const body = {
    Image: image,
    Entrypoint: [guestProgram],
    Labels: owner.labels('carrier'),
    NetworkDisabled: true,
    HostConfig: {
      NetworkMode: 'none',
      Mounts: [
        { Type: 'volume', Source: volume, Target: directory, VolumeOptions: { NoCopy: true } },
      ],
    },
  }
  const create = () =>
    client.run({ method: 'POST', path: '/containers/create', query: { name }, body }, signal)
  try {
    await create().catch(async (error: unknown) => {
      if (refusalOf(error)?.status !== 409) throw error
      // One of this name is of a predecessor that was killed just here.
      await reaper.remove([leftover])
      await create()
    })
  } catch (error) {
    await reaper.remove([leftover])
    throw error
  }
  return {
    upload: (tar, uploading) => client.upload(name, directory, tar, uploading),
    [Symbol.asyncDispose]: () => reaper.remove([leftover]),
  }
}
