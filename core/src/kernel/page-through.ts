import type { EventStore, RecordedEvent, StreamId } from './event-store.ts'

const pageSize = 500

/** All events of a stream after a version, page by page, up to what is stored when it gets there. */
export async function* pageThrough(
  events: Pick<EventStore, 'read'>,
  stream: StreamId,
  afterVersion = 0,
): AsyncGenerator<RecordedEvent> {
  let version = afterVersion
  for (;;) {
    const page = await events.read(stream, version, pageSize)
    yield* page
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) return
    version = last.version
  }
}
