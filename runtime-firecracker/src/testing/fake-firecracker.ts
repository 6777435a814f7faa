import type * as z from 'zod'
import {
  type bootSource,
  type drive,
  type machineConfig,
  type RequestName,
  requests,
  type snapshotCreate,
  type snapshotLoad,
  type vsock,
} from '../firecracker/api-schema.ts'
import { deserializeFault } from './serde-words.ts'

/** An answer as it goes over the socket. */
export interface FakeAnswer {
  readonly status: number
  readonly body?: object
}

/** What the double does besides answering; each may throw, and its words are then the refusal's. */
export interface FakeMachinery {
  /** Whether a file of the jail can be opened. */
  exists(path: string): boolean
  listen(vsockPath: string): void
  boot(): void
  pause(): void
  resume(): void
  write(snapshot: z.infer<typeof snapshotCreate>, machine: FakeMachine): void
  /** The machine that a snapshot holds. */
  load(snapshot: z.infer<typeof snapshotLoad>): FakeMachine
  flushMetrics(): void
  /** A snapshot call, even one that is refused, ends what was connected over vsock. */
  cutVsock(): void
}

/** What was configured. */
export interface FakeMachine {
  bootSource?: z.infer<typeof bootSource>
  config?: z.infer<typeof machineConfig>
  drives: z.infer<typeof drive>[]
  vsock?: z.infer<typeof vsock>
  entropy: boolean
}

export type FakeState = 'Not started' | 'Running' | 'Paused'

/**
 * Firecracker as its API sees it, with its rules on order, fields, types and values, and its words.
 * The schemas are those that type the client.
 */
export class FakeFirecracker {
  state: FakeState = 'Not started'
  machine: FakeMachine = { drives: [], entropy: false }
  /** What of a machine was configured: then no snapshot can be loaded any more. */
  #configured = false
  #metrics = false
  readonly #id: string
  readonly #version: string
  readonly #machinery: FakeMachinery

  constructor(id: string, version: string, machinery: FakeMachinery) {
    this.#id = id
    this.#version = version
    this.#machinery = machinery
  }

  answer(method: string, path: string, text: string): FakeAnswer {
    const [, first = '', second] = path.split('/')
    if (method === 'GET') return this.#question(first, text)
    const name = first === 'drives' ? `${method} /drives/{}` : `${method} ${path}`
    if (!isRequest(name)) return text === '' ? empty(method) : wrongPath(method, first)
    if (text === '') return empty(method)
    const fault = deserializeFault(requests[name], text)
    if (fault !== undefined) return refused(fault)
    const words = this.#change(name, JSON.parse(text), second)
    return words === undefined ? { status: 204 } : refused(words)
  }

  #question(first: string, text: string): FakeAnswer {
    if (text !== '') return refused('GET request cannot have a body.')
    if (first === 'version') return { status: 200, body: { firecracker_version: this.#version } }
    if (first !== '') return wrongPath('GET', first)
    const body = {
      ...{ id: this.#id, state: this.state, vmm_version: this.#version },
      app_name: 'Firecracker',
    }
    return { status: 200, body }
  }

  /** Words of refusal; undefined when it was done. */
  // biome-ignore lint/suspicious/noExplicitAny: read by the schema of its name just before.
  #change(name: RequestName, body: any, id: string | undefined): string | undefined {
    if (this.state !== 'Not started' && beforeBoot.has(name))
      return 'The requested operation is not supported after starting the microVM.'
    const early = name === 'PATCH /vm' || name === 'PUT /snapshot/create'
    if (this.state === 'Not started' && (early || body.action_type === 'FlushMetrics'))
      return 'The requested operation is not supported before starting the microVM.'
    if (configuring.has(name)) this.#configured = true
    switch (name) {
      case 'PUT /logger':
      case 'PUT /serial':
        return
      case 'PUT /metrics':
        if (this.#metrics)
          return 'Metrics error: Cannot initialize the metrics system due to bad user input: Reinitialization of metrics not allowed.'
        this.#metrics = true
        return
      case 'PUT /machine-config':
        return this.#setConfig(body)
      case 'PUT /boot-source':
        return this.#setBootSource(body)
      case 'PUT /drives/{}':
        return this.#setDrive(body, id)
      case 'PUT /vsock':
        return this.#attempt(
          'Vsock config error: Cannot create backend for vsock device: Error binding to the host-side Unix socket',
          () => {
            this.#machinery.listen(body.uds_path)
            this.machine.vsock = body
          },
        )
      case 'PUT /entropy':
        this.machine.entropy = true
        return
      case 'PUT /actions':
        return this.#act(body.action_type)
      case 'PATCH /vm':
        return this.#turn(body.state)
      case 'PUT /snapshot/create':
        return this.#createSnapshot(body)
      case 'PUT /snapshot/load':
        return this.#loadSnapshot(body)
    }
  }

  #setConfig(config: z.infer<typeof machineConfig>): string | undefined {
    const { vcpu_count: count, mem_size_mib: memory, smt } = config
    if (count < 1 || count > 32 || (smt === true && count > 1 && count % 2 === 1))
      return 'Machine config error: The number of vCPUs must be greater than 0, less than 32 and must be 1 or an even number if SMT is enabled.'
    if (memory === 0)
      return 'Machine config error: The memory size (MiB) is either 0, or not a multiple of the configured page size.'
    this.machine.config = config
    return
  }

  #setBootSource(source: z.infer<typeof bootSource>): string | undefined {
    if (!this.#machinery.exists(source.kernel_image_path))
      return `Boot source error: The kernel file cannot be opened: ${noSuchFile}`
    if (source.initrd_path !== undefined && !this.#machinery.exists(source.initrd_path))
      return `Boot source error: The initrd file cannot be opened due to invalid path or invalid permissions. ${noSuchFile}`
    this.machine.bootSource = source
    return
  }

  #setDrive(drive: z.infer<(typeof requests)['PUT /drives/{}']>, id: string | undefined) {
    if (id === undefined || id === '') return 'The ID cannot be empty.'
    if (!/^\w+$/.test(id))
      return 'API Resource IDs can only contain alphanumeric characters and underscores.'
    if (id !== drive.drive_id) return 'The id from the path does not match the id from the body!'
    const others = this.machine.drives.filter((other) => other.drive_id !== id)
    if (drive.is_root_device && others.some((other) => other.is_root_device))
      return 'Drive config error: A root block device already exists!'
    const path = drive.path_on_host ?? ''
    if (!this.#machinery.exists(path))
      return `Drive config error: Unable to create the virtio block device: Virtio backend error: Error manipulating the backing file: ${noSuchFile} ${path}`
    this.machine.drives = [...others, drive]
    return
  }

  #act(action: string): string | undefined {
    if (action === 'FlushMetrics')
      return this.#attempt('Internal Vmm error', () => this.#machinery.flushMetrics())
    if (action !== 'InstanceStart') return
    if (this.state !== 'Not started')
      return 'The requested operation is not supported after starting the microVM.'
    if (this.machine.bootSource === undefined)
      return 'Start microvm error: Cannot start microvm without kernel configuration.'
    return this.#attempt('Start microvm error', () => {
      this.#machinery.boot()
      this.state = 'Running'
    })
  }

  #turn(state: string): string | undefined {
    if (state === 'Paused') this.#machinery.pause()
    else this.#machinery.resume()
    this.state = state === 'Paused' ? 'Paused' : 'Running'
    return
  }

  #createSnapshot(snapshot: z.infer<typeof snapshotCreate>): string | undefined {
    this.#machinery.cutVsock()
    if (this.state !== 'Paused')
      return 'Create snapshot error: Cannot save the microVM state: Operation not allowed: save/restore unavailable while running'
    return this.#attempt('Create snapshot error: Cannot write memory file', () =>
      this.#machinery.write(snapshot, this.machine),
    )
  }

  #loadSnapshot(snapshot: z.infer<typeof snapshotLoad>): string | undefined {
    if (this.#configured)
      return 'Load snapshot error: Loading a microVM snapshot not allowed after configuring boot-specific resources.'
    return this.#attempt('Load snapshot error: Failed to restore from snapshot', () => {
      this.machine = this.#machinery.load(snapshot)
      this.state = snapshot.resume_vm === true ? 'Running' : 'Paused'
      if (snapshot.resume_vm === true) this.#machinery.resume()
    })
  }

  #attempt(prefix: string, act: () => void): string | undefined {
    try {
      act()
      return undefined
    } catch (error) {
      return `${prefix}: ${error instanceof Error ? error.message : String(error)}`
    }
  }
}

const noSuchFile = 'No such file or directory (os error 2)'

const configuring: ReadonlySet<string> = new Set([
  ...['PUT /machine-config', 'PUT /boot-source', 'PUT /drives/{}', 'PUT /vsock', 'PUT /entropy'],
])

/** A drive can be plugged in later where there is PCI; the double has none. */
const beforeBoot: ReadonlySet<string> = new Set([
  ...configuring,
  ...['PUT /logger', 'PUT /metrics', 'PUT /serial', 'PUT /snapshot/load'],
])

const isRequest = (name: string): name is RequestName => name in requests

const refused = (words: string): FakeAnswer => ({ status: 400, body: { fault_message: words } })

const empty = (method: string): FakeAnswer => refused(`Empty ${method} request.`)

const wrongPath = (method: string, first: string): FakeAnswer =>
  refused(`Invalid request method and/or path: ${method} ${first}.`)
