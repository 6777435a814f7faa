/**
 * Where adapters report what happened: a constant message and structured fields. pino satisfies
 * it. Messages and fields hold no secret and no text of a prompt or an answer.
 */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
