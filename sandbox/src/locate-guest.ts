import { type LocateOptions, nativeProgram } from './native-program.ts'
import { ownDirectory } from './own-directory.ts'

/**
 * Path of the guest program for this machine, compiled when needed.
 * @throws AegisError `unsupported` / `guest.no-compiler` nothing prebuilt and no C compiler
 */
export const locateGuest = async (options: LocateOptions): Promise<string> =>
  nativeProgram('guest', [ownDirectory('guest'), ownDirectory('capture')], options)
