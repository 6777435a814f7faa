import { type Frame, type FrameSplitter, makeFrameBytes } from './frame.ts'

const lf = 0x0a
const cr = 0x0d
const blankLine = Buffer.from('\n\n')

/**
 * Splits server-sent events (WHATWG HTML, 9.2): lines end with LF, CR or CR LF, a blank line ends
 * an event. Of the fields only `data` is read.
 */
export function makeSseSplitter(maxBytes?: number): FrameSplitter {
  const pending = makeFrameBytes(maxBytes)
  let lineIsEmpty = true
  let eventIsEmpty = true
  let afterCr = false

  return {
    push(chunk) {
      const frames: Frame[] = []
      let start = 0
      const finish = (end: number) => {
        const bytes = pending.take(chunk.subarray(start, end))
        frames.push({ bytes, data: dataOf(bytes) })
        start = end
      }
      // Whole events that end their lines as nearly everybody does are found at once.
      const isPlain = !chunk.includes(cr)
      for (let at = 0; at < chunk.length; at++) {
        while (isPlain && at === start && pending.isEmpty() && !afterCr) {
          const blank = chunk.indexOf(blankLine, at)
          if (blank < 0) break
          finish(blank + 2)
          at = start
        }
        const byte = chunk[at]
        const endsCrLf = byte === lf && afterCr
        afterCr = byte === cr
        if (endsCrLf || byte === undefined) continue
        if (byte !== lf && byte !== cr) {
          lineIsEmpty = false
          continue
        }
        if (lineIsEmpty && !eventIsEmpty) {
          // The LF of a CR LF belongs to the event it ends, where it is there already.
          if (byte === cr && chunk[at + 1] === lf) {
            at++
            afterCr = false
          }
          finish(at + 1)
          eventIsEmpty = true
        } else if (!lineIsEmpty) {
          eventIsEmpty = false
        }
        lineIsEmpty = true
      }
      pending.add(chunk.subarray(start))
      return frames
    },

    flush() {
      const bytes = pending.take(Buffer.alloc(0))
      return bytes.length === 0 ? undefined : { bytes, data: dataOf(bytes) }
    },
  }
}

/** The values of an event's `data` lines, joined as the standard says. */
function dataOf(event: Buffer): string {
  const text = event.toString('utf8')
  // Nearly all events are one line.
  if (text.startsWith('data: ') && text.indexOf('\n') === text.length - 2) {
    const line = text.slice(6, -2)
    if (!line.includes('\r')) return line
  }
  const values: string[] = []
  for (const line of text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/)) {
    if (line === 'data') values.push('')
    else if (line.startsWith('data:')) values.push(line.slice(line[5] === ' ' ? 6 : 5))
  }
  return values.join('\n')
}
