import { removeEngine } from './remove-engine.ts'

const directory = process.argv[2]
if (directory) await removeEngine(directory)
