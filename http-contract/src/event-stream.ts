/** One message of a `text/event-stream` (WHATWG HTML, section 9.2). */
export interface StreamMessage {
  /** `message` unless the sender named it. */
  readonly event: string
  readonly data: string
  /** The last `id:` seen so far on the stream; empty when there was none. */
  readonly lastEventId: string
}

/** Longest message the parser holds, in characters. */
export const maxMessageChars = 64 * 1024 * 1024

/**
 * One message as it goes over the wire. Line breaks in `data` are kept; `id` and `event` must not
 * hold any.
 */
export function formatMessage(message: {
  readonly id?: string
  readonly event?: string
  readonly data: string
}): string {
  const event = message.event === undefined ? '' : `event: ${message.event}\n`
  const id = message.id === undefined ? '' : `id: ${message.id}\n`
  const data = message.data
    .split(/\r\n|\r|\n/)
    .map((line) => `data: ${line}\n`)
    .join('')
  return `${event}${id}${data}\n`
}

/** A comment, which keeps a quiet connection alive; readers ignore it. */
export const formatComment = (text: string): string => `: ${text}\n\n`

/**
 * Takes text in pieces of any size and gives back the messages that became whole. A message cut
 * off by the end of the stream is never seen, as the standard demands.
 * @throws RangeError when a message is longer than `maxChars`
 */
export function makeMessageParser(
  maxChars: number = maxMessageChars,
): (chunk: string) => readonly StreamMessage[] {
  let pending: string[] = [] // Pieces of a line whose end has not arrived.
  let data: string[] = []
  let event = ''
  let lastEventId = ''
  let heldChars = 0
  let atStart = true
  let afterCarriageReturn = false

  function takeLine(line: string): StreamMessage | undefined {
    if (line === '') {
      const message =
        data.length === 0
          ? undefined
          : { event: event === '' ? 'message' : event, data: data.join('\n'), lastEventId }
      data = []
      event = ''
      heldChars = 0
      return message
    }
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const rest = colon === -1 ? '' : line.slice(colon + 1)
    const value = rest.startsWith(' ') ? rest.slice(1) : rest
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
    else if (field === 'id' && !value.includes('\0')) lastEventId = value
    return undefined
  }

  return (chunk) => {
    let text = chunk
    if (atStart && text !== '') {
      if (text.startsWith('\uFEFF')) text = text.slice(1)
      atStart = false
    }
    const messages: StreamMessage[] = []
    let start = 0
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at)
      if (code !== 10 && code !== 13) {
        afterCarriageReturn = false
        continue
      }
      if (code === 10 && afterCarriageReturn) {
        // The second half of a CRLF.
        afterCarriageReturn = false
        start = at + 1
        continue
      }
      afterCarriageReturn = code === 13
      pending.push(text.slice(start, at))
      const message = takeLine(pending.join(''))
      pending = []
      if (message !== undefined) messages.push(message)
      start = at + 1
    }
    const rest = text.slice(start)
    if (rest !== '') pending.push(rest)
    heldChars += text.length
    if (messages.length > 0) heldChars = rest.length
    if (heldChars > maxChars) {
      throw new RangeError(`A message of the event stream is longer than ${maxChars} characters`)
    }
    return messages
  }
}
