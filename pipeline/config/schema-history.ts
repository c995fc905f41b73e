// The frozen writer schemas that came with the program.
import { readdirSync, readFileSync } from 'node:fs'
import type { AvroSchema } from '../../schemas/avro.ts'
import type { FieldTable } from '../../schemas/field.ts'

const folder = new URL('../../schemas/history/', import.meta.url)

/** Every version of a record that ever was. */
export function schemaHistory(table: FieldTable): AvroSchema[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith(`${table.name}-`) && name.endsWith('.avsc'))
    .toSorted()
    .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as AvroSchema)
}
