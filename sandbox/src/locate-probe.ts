import { type LocateOptions, nativeProgram } from './native-program.ts'
import { ownDirectory } from './own-directory.ts'

/**
 * Path of the program that says whether /dev/kvm runs code, compiled when needed.
 * @throws AegisError `unsupported` / `probe.no-compiler` nothing prebuilt and no C compiler
 */
export const locateProbe = async (options: LocateOptions): Promise<string> =>
  nativeProgram('probe', [ownDirectory('probe')], options)
