import about from '../package.json' with { type: 'json' }

/** The version of AEGIS. */
export const version: string = about.version
