import { type LocateOptions, nativeProgram } from '../native-program.ts'
import { ownDirectory } from '../own-directory.ts'

/**
 * Path of the launcher for this machine, compiled when needed.
 * @throws AegisError `unsupported` / `launch.no-compiler` nothing prebuilt and no C compiler
 */
export const locateLauncher = async (options: LocateOptions): Promise<string> =>
  nativeProgram('launch', [ownDirectory('launcher'), ownDirectory('capture')], options)
