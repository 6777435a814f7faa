/** Looks at bytes on their way out of a sandbox, before they pass. */
export interface OutgoingWatch {
  /**
   * What may pass now; some of it may be kept back until more is known.
   * @throws AegisError `denied` when nothing more may pass
   */
  pass(chunk: Buffer): Buffer
  /** What was kept back, now that nothing follows. */
  end(): Buffer
}

export const nothing = Buffer.alloc(0)

/** Lets everything pass. */
export const noWatch: OutgoingWatch = { pass: (chunk) => chunk, end: () => nothing }
