import type { CommandHandler } from './command-context.ts'
import { completionScript, type Shell } from './completion.ts'
import { exitCodes } from './exit-code.ts'
import { makeProgram } from './program.ts'

export const printCompletion: CommandHandler<object> = async ({ terminal, version }, [shell]) => {
  const program = makeProgram({ version, run: async () => {} })
  terminal.write(completionScript(program, shell as Shell))
  return exitCodes.success
}
