// Asks the name server of the sandbox so many questions, each for another name, a few at a time,
// and prints how often it got each answer: {"0": answered, "2": failed, "3": no such name}.
const dgram = require('node:dgram')

const [count, suffix] = [Number(process.argv[2]), process.argv[3]]
const socket = dgram.createSocket('udp4')
const codes = {}
const waiting = new Map()
let next = 0

function ask(id) {
  const labels = [`r${id}`, ...suffix.split('.')]
  const name = labels.map((label) => Buffer.from(String.fromCharCode(label.length) + label))
  const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  waiting.set(id, Date.now())
  socket.send(Buffer.concat([head, ...name, Buffer.from([0, 0, 1, 0, 1])]), 53, '127.0.0.1')
}
function refill() {
  while (waiting.size < 32 && next < count) ask(next++)
  if (waiting.size > 0 || next < count) return
  console.log(JSON.stringify(codes))
  process.exit()
}
socket.on('message', (reply) => {
  if (!waiting.delete(reply.readUInt16BE(0))) return
  const code = reply[3] & 15
  codes[code] = (codes[code] ?? 0) + 1
  refill()
})
// A datagram may be lost.
setInterval(() => {
  for (const [id, since] of waiting) if (Date.now() - since > 500) ask(id)
}, 100)
refill()
