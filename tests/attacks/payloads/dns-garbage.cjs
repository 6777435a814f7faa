// Sends the name server of the sandbox what is no question, and then one that is; prints its answer.
const dgram = require('node:dgram')

const socket = dgram.createSocket('udp4')
const send = (bytes) =>
  new Promise((resolve) => socket.send(bytes, 53, '127.0.0.1', () => setImmediate(resolve)))
const question = Buffer.from(
  '\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x04evil\x07example\0\0\x01\0\x01',
  'latin1',
)

let seed = 1
const random = (below) => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
  return (seed >>> 8) % below
}
const broken = () => {
  const bytes = Buffer.from(question)
  for (let left = 1 + random(6); left > 0; left--) bytes[random(bytes.length)] = random(256)
  return bytes.subarray(0, random(4) === 0 ? random(bytes.length) : bytes.length)
}

socket.on('message', (reply) => {
  if (reply.readUInt16BE(0) !== 0xbeef) return
  console.log(reply[3] & 15)
  process.exit()
})
const run = async () => {
  for (const odd of [Buffer.alloc(0), Buffer.alloc(512, 63), Buffer.alloc(60000, 255)])
    await send(odd)
  // A name that points at itself, one that never ends, and two questions at once.
  await send(Buffer.from('\0\x01\x01\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01', 'latin1'))
  await send(Buffer.concat([question.subarray(0, 12), Buffer.alloc(400, '\x01a')]))
  for (let count = 0; count < 5000; count++) await send(broken())
  const last = Buffer.from(question)
  last.writeUInt16BE(0xbeef, 0)
  setInterval(() => send(last), 50)
}
void run()
