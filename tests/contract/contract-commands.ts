/** The programs the sandbox contract runs, as argv for one kind of sandbox. */
export interface ContractCommands {
  /** Ends with this code. */
  exit(code: number): Argv
  /** Copies stdin to stdout until stdin ends. */
  cat(): Argv
  /** Prints its arguments, each followed by a newline. */
  print(...words: readonly string[]): Argv
  /** Prints `out` on stdout and `err` on stderr, without newlines. */
  printBoth(out: string, err: string): Argv
  /** Prints all environment variables as `NAME=value` lines. */
  environment(): Argv
  workingDirectory(): Argv
  /** Prints this many zero bytes. */
  zeros(bytes: number): Argv
  /** Prints `ready` and a newline, then runs until it is killed. */
  runForever(): Argv
  /** Prints `ready`, then exits with 5 when it gets SIGTERM. */
  exitFiveOnTerm(): Argv
  /** Ends at once, without reading its stdin. */
  ignoreStdin(): Argv
  /** Sends all of stdin to the agent API, half-closes, and prints the answer. */
  callAgentApi(): Argv
  readonly limits?: LimitCommands
  readonly network?: NetworkCommands
  /**
   * Runs a shell script. In tests it does without `ls` and `stat`: gVisor before 2023 refuses the way
   * in which those of coreutils 9 call statx.
   */
  sh?(script: string, ...args: readonly string[]): Argv
  /** Prints `tty` when stdin and stdout are terminals, then the size as `rows columns`. */
  terminal?(): Argv
  /** Prints `ready` and, once it is told that the size changed, `rows columns`; then exits with 0. */
  terminalSizeOnResize?(): Argv
  /** Looks a name up in DNS; the exit code does not matter. */
  lookUp?(name: string): Argv
}

/** Programs that break a limit. */
export interface LimitCommands {
  allocate(bytes: number): Argv
  /** Starts so many processes at once and fails when it cannot. */
  startProcesses(count: number): Argv
  fill(path: string, bytes: number): Argv
  /** Keeps one core busy for this long. */
  burn(wallMs: number): Argv
}

/** Programs that use a network; each prints the code of what went wrong, as Node has it. */
export interface NetworkCommands {
  /** Asks DNS for records of one type and prints them, separated by spaces. */
  resolve(name: string, type: string): Argv
  /** Sends all of stdin to a port, half-closes, and prints the answer. */
  call(host: string, port: number): Argv
  /** Sends a datagram, and prints what becomes of it within a moment: nothing is empty. */
  sendDatagram(host: string, port: number): Argv
}

type Argv = readonly [string, ...string[]]

const sh = (script: string, ...args: readonly string[]): Argv => [
  '/bin/sh',
  '-c',
  script,
  'sh',
  ...args,
]
const node = (script: string, ...args: readonly string[]): Argv => ['node', '-e', script, ...args]

/** For sandboxes with a POSIX shell and Node. */
export const posixCommands: ContractCommands = {
  exit: (code) => sh(`exit ${code}`),
  cat: () => ['cat'],
  print: (...words) => ['printf', '%s\\n', ...words],
  printBoth: (out, err) => sh('printf %s "$1"; printf %s "$2" >&2', out, err),
  environment: () => ['env'],
  workingDirectory: () => ['pwd'],
  zeros: (bytes) => ['head', '-c', `${bytes}`, '/dev/zero'],
  runForever: () => sh('echo ready; while :; do sleep 1000; done'),
  exitFiveOnTerm: () => sh('trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done'),
  ignoreStdin: () => ['true'],
  callAgentApi: () =>
    node(
      `const socket = require('node:net').connect({ port: 8000, host: '127.0.0.1', allowHalfOpen: true })
      process.stdin.pipe(socket).pipe(process.stdout)`,
    ),
  sh,
  terminal: () => sh('test -t 0 && test -t 1 && echo tty; stty size'),
  terminalSizeOnResize: () =>
    sh('trap "stty size; exit 0" WINCH; echo ready; while :; do sleep 0.05; done'),
  lookUp: (name) => ['getent', 'hosts', name],
  network: {
    resolve: (name, type) =>
      node(
        `require('node:dns').promises.resolve(process.argv[1], process.argv[2]).then(
          (records) => console.log(records.join(' ')), (error) => console.log(error.code))`,
        name,
        type,
      ),
    call: (host, port) =>
      node(
        `const [host, port] = process.argv.slice(1)
        const socket = require('node:net').connect({ port: Number(port), host, allowHalfOpen: true })
        socket.on('error', (error) => { process.stdout.write(error.code); process.exitCode = 1; process.stdin.destroy() })
        process.stdin.pipe(socket).pipe(process.stdout)`,
        host,
        `${port}`,
      ),
    sendDatagram: (host, port) =>
      node(
        `const [host, port] = process.argv.slice(1)
        const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4')
        const end = (word) => { process.stdout.write(word); process.exit() }
        socket.on('error', (error) => end(error.code))
        socket.connect(Number(port), host, (error) => {
          if (error) return end(error.code)
          socket.send('x')
          setTimeout(end, 1000, '')
        })`,
        host,
        `${port}`,
      ),
  },
  limits: {
    allocate: (bytes) =>
      node(
        `const kept = []; for (let left = ${bytes}; left > 0; left -= 1 << 20) kept.push(Buffer.alloc(1 << 20, 1))`,
      ),
    startProcesses: (count) => sh(`for i in $(seq ${count}); do sleep 100 & done; exit 0`),
    fill: (path, bytes) => sh('head -c "$2" /dev/zero > "$1/fill"', path, `${bytes}`),
    burn: (wallMs) => node(`const until = Date.now() + ${wallMs}; while (Date.now() < until);`),
  },
}
