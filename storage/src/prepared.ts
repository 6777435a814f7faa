import type { DatabaseSync, SQLInputValue } from 'node:sqlite'

/** A statement for a hot path, with the shape of its rows: STRICT tables keep what they promise. */
export interface Prepared<Row> {
  get(...parameters: SQLInputValue[]): Row | undefined
  all(...parameters: SQLInputValue[]): Row[]
  iterate(...parameters: SQLInputValue[]): Iterable<Row>
}

export const prepared = <Row>(database: DatabaseSync, sql: string): Prepared<Row> =>
  database.prepare(sql) as unknown as Prepared<Row>
