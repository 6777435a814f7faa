import { durationText, knownKeys, sizeText, wholeNumber } from '../kernel/field.ts'

const bytes = () => sizeText(1, 2 ** 50).optional()
const day = 24 * 3_600_000

/** Budgets of one iteration, as a manifest and a node config write them. */
export const networkLimitsSchema = knownKeys({
  connections: wholeNumber(1, 250).optional().describe('Open at a time, 1 to 250'),
  connections_per_minute: wholeNumber(1, 100_000).optional().describe('Opened in any 60 seconds'),
  bytes_out: bytes().describe('Out of the sandbox, all connections together'),
  bytes_in: bytes().describe('Into it'),
  host_bytes_out: bytes().describe('Out of the sandbox, for each host by itself'),
  host_bytes_in: bytes().describe('Into it'),
  bytes_per_second: bytes().describe('In each direction, all connections together'),
  idle_timeout: durationText(1000, day)
    .optional()
    .describe('Ends a connection on which nothing moves'),
  total_timeout: durationText(1000, 7 * day)
    .optional()
    .describe('No connection lives longer'),
})
