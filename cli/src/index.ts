export { main } from './main.ts'
export { makeProgram } from './program/program.ts'
export { renderReference } from './program/reference.ts'
