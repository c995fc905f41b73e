// Reads flushes of older and newer writer schemas through Avro's own resolution, and writes them again in the current
// schema, so that the fast reader has one form to read. The only file that imports avsc.
import avsc from 'avsc'
import { avroSchema, singleObjectHeader, singleObjectHeaderOf, type AvroSchema } from '../../schemas/avro.ts'
import { behaviorBatch } from '../../schemas/behavior-batch.ts'
import type { FieldTable } from '../../schemas/field.ts'
import type { RecordReject } from '../../schemas/rejects.ts'
import { bodyChecker } from './avro-check.ts'

export type FlushResolver = (value: Uint8Array) => Uint8Array | RecordReject

const headerBytes = 10

/**
 * `writers`: the schemas that flushes may have been written in (schemas/history); `reader`: the record, flushes or another. A writer that the current schema cannot
 * read throws here, at the start, and not when its first flush comes.
 */
export function flushResolver(writers: readonly AvroSchema[], reader: FieldTable = behaviorBatch): FlushResolver {
  const current = asWritten(avroSchema(reader))
  const header = singleObjectHeader(reader)
  const known = new Map(
    writers.map((schema) => {
      const writer = schema as avsc.Schema
      avsc.Type.forSchema(avroSchema(reader) as avsc.Schema).createResolver(avsc.Type.forSchema(writer))
      return [
        fingerprintOf(singleObjectHeaderOf(schema)),
        { check: bodyChecker(schema), resolver: current.createResolver(asWritten(schema)) },
      ]
    }),
  )

  return (value) => {
    if (value.length < headerBytes) return 'bad_header'
    const writer = known.get(fingerprintOf(value))
    if (writer === undefined) return 'unknown_schema'
    const verdict = writer.check(value, headerBytes)
    // Whatever else is malformed (a symbol or branch that the schema has not, a false block size) goes by this name as well.
    if (verdict === 'block_size') return 'truncated'
    if (verdict !== 'ok') return verdict
    const { value: flush } = current.decode(Buffer.from(value.buffer, value.byteOffset, value.length), headerBytes, writer.resolver)
    return Buffer.concat([header, current.toBuffer(flush)])
  }
}

const fingerprintOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', 2, headerBytes)

/**
 * The type of a schema whose numbers are kept as the bytes they were written in. avsc throws at a long beyond 2⁵³ and at an
 * int beyond 2³¹; such a number is for the judge of events, who rejects the one event and not its neighbours.
 */
function asWritten(schema: AvroSchema): avsc.Type {
  return avsc.Type.forSchema(schema as avsc.Schema, {
    typeHook: (of) => {
      const type = typeof of === 'object' && of !== null && 'type' in of ? of.type : of
      return type === 'long' || type === 'int' ? varint : undefined
    },
  })
}

const varint = avsc.types.LongType.__with(
  {
    fromBuffer: (bytes: Buffer) => bytes,
    toBuffer: (bytes: Buffer) => bytes,
    // A default of the current schema, where the writer has no such field.
    fromJSON: (value: number) => avsc.Type.forSchema('long').toBuffer(value),
    toJSON: (bytes: Buffer) => avsc.Type.forSchema('long').fromBuffer(bytes) as number,
    isValid: (value: unknown) => Buffer.isBuffer(value),
    compare: (a: Buffer, b: Buffer) => Buffer.compare(a, b),
  },
  true,
)
