import { AegisError } from '@aegis/core'

const limitBytes = 1024 * 1024

/**
 * What was piped into the command, as text.
 * @throws AegisError `invalid` nothing is piped in · more than 1 MiB · not UTF-8
 */
export async function readStdin(stdin: NodeJS.ReadStream): Promise<string> {
  if (stdin.isTTY) {
    throw new AegisError(
      'invalid',
      'input.stdin',
      'Standard input is a terminal: pipe a file into it',
    )
  }
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stdin) {
    const buffer = Buffer.from(chunk)
    bytes += buffer.length
    if (bytes > limitBytes) {
      throw new AegisError('invalid', 'input.size', 'Standard input holds more than 1 MiB')
    }
    chunks.push(buffer)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (cause) {
    throw new AegisError('invalid', 'input.encoding', 'Standard input is not UTF-8', { cause })
  }
}
