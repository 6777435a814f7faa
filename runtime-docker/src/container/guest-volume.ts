import { createHash, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { abortable } from '@aegis/sandbox'
import * as z from 'zod'
import type { EngineClient } from '../engine/engine-client.ts'
import { refusalOf } from '../engine/engine-failure.ts'
import { type Owner, ownerLabel } from './owner.ts'
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
  /**
   * Makes it again where it was removed behind our back; false when it was not, and whoever misses
   * the guest has to blame the image.
   */
  restore(image: string, signal: AbortSignal): Promise<boolean>
}

const inspectedVolume = z.object({ Labels: z.record(z.string(), z.string()).nullish() })

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
    const name = owner.guest(digest)
    made = name
    const body = { Name: name, Labels: owner.labels('guest') }
    await client.run({ method: 'POST', path: '/volumes/create', body }, never)
    const archive = tarOf([{ path: 'guest', content: guest, mode: 0o755, uid: 0, gid: 0 }])
    const carrier = { client, owner, reaper, volume: name, image, directory: guestDirectory }
    await using open = await openCarrier(carrier, never)
    await open.upload(archive, never)
    return name
  }

  /** In the place of one that was removed, an engine makes another of the same name, without labels. */
  const isOurs = async (name: string, signal: AbortSignal): Promise<boolean> => {
    try {
      const request = { method: 'GET', path: `/volumes/${name}` } as const
      const { Labels } = await client.call(inspectedVolume, request, signal)
      return Labels?.[ownerLabel] === owner.tag
    } catch (error) {
      if (refusalOf(error)?.status === 404) return false
      throw error
    }
  }

  const volume: GuestVolume = {
    async ready(image, signal) {
      const turn = filling ?? fill(image)
      filling = turn
      turn.catch(() => {
        if (filling === turn) filling = undefined
      })
      return abortable(turn, signal)
    },
    async restore(image, signal) {
      // One that is being filled is as good as intact.
      const turn = filling
      await turn?.catch(() => {})
      if (turn !== filling || made === undefined) return true
      if (await isOurs(made, signal)) return false
      filling = undefined
      await volume.ready(image, signal)
      return true
    },
    async [Symbol.asyncDispose]() {
      await filling?.catch(() => {})
      if (made !== undefined) await reaper.remove([{ kind: 'volume', name: made }])
    },
  }
  return volume
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
  // One of its own for each: a predecessor's may still be there.
  const name = `${owner.carrier(volume)}.${randomUUID()}`
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
  try {
    await client.run({ method: 'POST', path: '/containers/create', query: { name }, body }, signal)
  } catch (error) {
    await reaper.remove([leftover])
    throw error
  }
  return {
    upload: (tar, uploading) => client.upload(name, directory, tar, uploading),
    [Symbol.asyncDispose]: () => reaper.remove([leftover]),
  }
}
