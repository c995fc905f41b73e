// What a ClickHouse table is beside its fields: engine, key, partition. ddl.ts renders it.
import type { Fields, FieldTable } from './field.ts'

export type Table<F extends Fields = Fields> = {
  /** snake_case; the name in ClickHouse. */
  readonly name: string
  readonly record: FieldTable<F>
  /**
   * `append`: plain MergeTree, in which a duplicate would be a bug to be seen. `latest`: Replacing, the row with the
   * greatest `version` of each key stays.
   */
  readonly engine: { readonly kind: 'append' } | { readonly kind: 'latest'; readonly version: string }
  readonly orderBy: readonly string[]
  /** An expression over the fields; rows of one block share its value. */
  readonly partitionBy: string
  readonly ttl?: string
}

export function table<F extends Fields>(spec: Table<F>): Table<F> {
  return spec
}
