#!NODE
// Takes the guest's place and breaks the wire protocol in the way named by MODE, with
// the NODE of its sandbox; the test writes both into its copy of this file.
const { readSync, writeSync } = require('node:fs')

const mode = 'MODE'
const session = 0

function frame(type, channel, payload = Buffer.alloc(0), flags = 0, length = payload.length) {
  const header = Buffer.alloc(8)
  header.writeUInt8(type, 0)
  header.writeUInt8(flags, 1)
  header.writeUInt16BE(length, 2)
  header.writeUInt32BE(channel, 4)
  return Buffer.concat([header, payload])
}
const hello = (version = 4) =>
  frame(1, session, Buffer.from([0x41, 0x45, 0x47, 0x49, 0, version, 0, 3]))
const configured = () => frame(3, session, Buffer.concat([Buffer.from([1, 1]), Buffer.from('OK')]))
const number = (value) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const exit = (channel) => frame(18, channel, Buffer.alloc(28))

function send(bytes) {
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at)
}
function receive() {
  const read = (length) => {
    const bytes = Buffer.alloc(length)
    for (let at = 0; at < length; ) {
      const count = readSync(0, bytes, at, length - at)
      // Not even the end of the wire makes it leave.
      if (count === 0) sleepForever()
      at += count
    }
    return bytes
  }
  const header = read(8)
  const payload = read(header.readUInt16BE(2))
  return { type: header.readUInt8(0), channel: header.readUInt32BE(4), payload }
}
function sleepForever() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}
function flood(bytes) {
  for (;;) send(bytes)
}
/** A file is the list of interfaces, from which a host sees that a container has no network. */
const file = Buffer.from('    lo: 0 0\n')
/** Answers pings and gives files until the host wants a command, and returns the command's channel. */
function command() {
  for (;;) {
    const { type, channel, payload } = receive()
    if (type === 4) send(frame(5, session, payload))
    if (type === 22 && mode !== 'keep-files')
      send(Buffer.concat([frame(32, channel, file), frame(33, channel), frame(35, channel)]))
    if (type === 16) return channel
  }
}

const beforeHello = {
  silent: sleepForever,
  garbage: () => flood(Buffer.from('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n')),
  zeros: () => flood(Buffer.alloc(65536)),
  leave: () => process.exit(3),
  'future-version': () => send(hello(99)),
  'hello-and-hang': () => {
    send(hello())
    sleepForever()
  },
  'half-a-hello': () => {
    send(hello().subarray(0, 11))
    sleepForever()
  },
}
const afterHello = {
  vanish: () => process.exit(0),
  'ignore-pings': sleepForever,
  'hello-again': () => send(hello()),
  'configured-again': () => send(configured()),
  'unknown-type': () => send(frame(99, session)),
  'host-frame': () => send(frame(16, 5, Buffer.alloc(32))),
  'data-on-no-channel': () => send(frame(32, 77, Buffer.from('x'))),
  'data-on-session': () => send(frame(32, session, Buffer.from('x'))),
  'exit-of-nothing': () => send(exit(12)),
  'oversized-frame': () => send(frame(32, 1, Buffer.from('x'), 0, 65535)),
  'pong-to-nobody': () => send(frame(5, session, Buffer.alloc(8))),
  'stats-to-nobody': () => send(frame(7, session, Buffer.alloc(48))),
  'connect-on-host-channel': () => send(frame(23, 3, Buffer.alloc(3))),
  'connect-to-nonsense': () => send(frame(23, 0x80000001, Buffer.from([9, 255, 255]))),
  'connect-flood': () => {
    for (let count = 1; count < 5000; count++)
      send(frame(23, 0x80000000 + count, Buffer.from([0, 0, 0])))
  },
  'connect-twice': () => {
    send(frame(23, 0x80000001, Buffer.from([0, 0, 0])))
    send(frame(23, 0x80000001, Buffer.from([0, 0, 0])))
  },
  'connect-to-odd-name': () => send(frame(23, 0x80000001, Buffer.from('\x01\x00\x50A.example'))),
  'connect-to-line-break': () =>
    send(frame(23, 0x80000001, Buffer.from('\x01\x00\x50a.example\r\nx'))),
  'connect-to-odd-address': () => send(frame(23, 0x80000001, Buffer.from('\x01\x00\x50127.1'))),
  'connect-through-proxy': () => send(frame(23, 0x80000001, Buffer.from('\x02\x00\x50a.example'))),
  'notice-of-nothing': () => send(frame(8, session, Buffer.from('\x09a.example'))),
  'notice-of-half-an-address': () =>
    send(frame(8, session, Buffer.from([3, 6, 6, 0, 80, 1, 2, 3, 4]))),
  'notice-of-connections-flood': () =>
    flood(frame(8, session, Buffer.from([3, 6, 4, 0, 80, 8, 8, 8, 8]))),
  'notice-flood': () =>
    flood(frame(8, session, Buffer.concat([Buffer.from([1]), Buffer.from('a.example')]))),
  'notice-with-controls': () => send(frame(8, session, Buffer.from('\x01\x1b[2Jx\n'))),
}
const onCommand = {
  stay: sleepForever,
  'keep-files': sleepForever,
  'started-twice': (channel) => send(Buffer.concat([frame(17, channel), frame(17, channel)])),
  'output-before-start': (channel) => send(frame(32, channel, Buffer.from('x'))),
  'huge-credit': (channel) => {
    send(frame(17, channel))
    flood(frame(34, channel, number(0x7fffffff)))
  },
  'negative-credit': (channel) =>
    send(Buffer.concat([frame(17, channel), frame(34, channel, number(0xffffffff))])),
  'zero-credit': (channel) =>
    send(Buffer.concat([frame(17, channel), frame(34, channel, number(0))])),
  'ignore-window': (channel) => {
    send(frame(17, channel))
    flood(frame(32, channel, Buffer.alloc(32760)))
  },
  'crumb-flood': (channel) => {
    send(frame(17, channel))
    flood(frame(32, channel, Buffer.from('x')))
  },
  'data-after-end': (channel) => {
    send(
      Buffer.concat([frame(17, channel), frame(33, channel), frame(32, channel, Buffer.from('x'))]),
    )
  },
  'exit-twice': (channel) => {
    send(Buffer.concat([frame(17, channel), frame(33, channel), frame(33, channel, undefined, 1)]))
    send(Buffer.concat([exit(channel), exit(channel)]))
  },
  'odd-exit': (channel) =>
    send(Buffer.concat([frame(17, channel), frame(18, channel, Buffer.alloc(28, 255))])),
}

beforeHello[mode]?.()
send(hello())
receive()
send(configured())
afterHello[mode]?.()
onCommand[mode]?.(command())
sleepForever()
