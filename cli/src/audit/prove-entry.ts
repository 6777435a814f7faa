import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { parseIndex } from '../program/parse-option.ts'

export const proveEntry: CommandHandler<{
  readonly size?: number
  readonly output?: string
}> = async (context, [text = ''], { size, output }) => {
  const index = parseIndex(text)
  const { terminal, cwd } = context
  await using connection = await context.connect()
  const proof = await connection.controlPlane.audit.prove(index, size)
  if (output !== undefined) {
    const path = resolve(cwd, output)
    await writeFile(path, proof)
    if (terminal.json) terminal.document({ index, path })
    else {
      terminal.line(`Proof of entry ${index} written to ${path}`)
      terminal.line(
        terminal.style.dim(`Check it anywhere: aegis audit verify ${output} --key <key>`),
      )
    }
  } else if (terminal.json) terminal.document({ index, proof })
  else terminal.write(proof)
  return exitCodes.success
}
