/** A file of the operator. */
export interface PolicyFile {
  /** As errors name it. */
  readonly name: string
  readonly text: string
}

/** Something that is wrong with a file, or, as a warning, that does not do what it seems to. */
export interface PolicyProblem {
  readonly file: string
  /** Both counted from 1; absent where it concerns the file as a whole. */
  readonly line?: number | undefined
  readonly column?: number | undefined
  readonly message: string
}

export interface PolicyState {
  /** Folder that the operator's policies are read from. */
  readonly folder: string
  /**
   * What keeps the newest files from being in force. As long as there is something, the last good
   * set is.
   */
  readonly problems: readonly PolicyProblem[]
  /** No set could be read yet, so that nothing is permitted. */
  readonly closed: boolean
  /** What is in force and has no effect. */
  readonly warnings: readonly PolicyProblem[]
}

export interface PolicyReview {
  readonly problems: readonly PolicyProblem[]
  readonly warnings: readonly PolicyProblem[]
  /** How many policies the files hold. */
  readonly policies: number
  /** Agents that would be refused, or refused something that their manifest asks for. */
  readonly refused: readonly { readonly agent: string; readonly because: string }[]
}

/** `ceiling.cedar:3:14 …` */
export const formatPolicyProblem = ({ file, line, column, message }: PolicyProblem): string =>
  `${[file, line, column].filter((part) => part !== undefined).join(':')}: ${message}`
