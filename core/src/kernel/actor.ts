/** Who asks, once authenticated. */
export interface Actor {
  /** For logs and the audit: `local` for the holder of the node's own token. */
  readonly name: string
}

/** The user whom this AEGIS_HOME belongs to, where no caller is known. */
export const localActor: Actor = { name: 'local' }

/** Tells whose token this is; undefined when it is nobody's. Takes equally long for any wrong one. */
export type Authenticate = (token: string) => Promise<Actor | undefined>
