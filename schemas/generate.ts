// Files that follow from the field tables and stand in the repository: frozen Avro schemas. `reelpulse generate` writes them.
import { avroSchema, fingerprintHex, type AvroSchema } from './avro.ts'
import { behaviorBatch } from './behavior-batch.ts'
import { customerSignal } from './customer-signal.ts'
import type { FieldTable } from './field.ts'
import { kpiAlertMessage } from './tables/alerts.ts'
import { tierChangeMessage } from './tables/tier-changes.ts'

export type GeneratedFile = { readonly path: string; readonly content: string }

/** Records that other programs read or write: each version that ever was keeps its file in schemas/history. */
export const publicRecords: readonly FieldTable[] = [behaviorBatch, customerSignal, tierChangeMessage, kpiAlertMessage]

export const historyName = (table: FieldTable, schema: AvroSchema = avroSchema(table)) => `${table.name}-${fingerprintHex(schema)}.avsc`

/** Paths are from the root of the repository. */
export function generatedFiles(): GeneratedFile[] {
  return publicRecords.map((table) => ({
    path: `schemas/history/${historyName(table)}`,
    content: `${JSON.stringify(avroSchema(table), null, 2)}\n`,
  }))
}
