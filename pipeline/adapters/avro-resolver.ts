// Reads flushes of older and newer writer schemas through Avro's own resolution, and writes them again in the current
// schema, so that the fast reader has one form to read. The only file that imports avsc.
import avsc from 'avsc'
import { avroSchema, fingerprintHex, singleObjectHeader, type AvroSchema } from '../../schemas/avro.ts'
import { behaviorBatch } from '../../schemas/behavior-batch.ts'
import type { RecordReject } from '../../schemas/rejects.ts'

export type FlushResolver = (value: Uint8Array) => Uint8Array | RecordReject

const headerBytes = 10

/**
 * `writers`: the schemas that flushes may have been written in (schemas/history). A writer that the current schema cannot
 * read throws here, at the start, and not when its first flush comes.
 */
export function flushResolver(writers: readonly AvroSchema[]): FlushResolver {
  const current = avsc.Type.forSchema(avroSchema(behaviorBatch) as avsc.Schema)
  const header = singleObjectHeader(behaviorBatch)
  const known = new Map(
    writers.map((schema) => {
      return [fingerprintHex(schema), current.createResolver(avsc.Type.forSchema(schema as avsc.Schema))]
    }),
  )

  return (value) => {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.length)
    const resolver = known.get(bytes.readBigUInt64LE(2).toString(16).padStart(16, '0'))
    if (resolver === undefined) return 'unknown_schema'
    let flush: unknown
    let end: number
    try {
      const decoded = current.decode(bytes, headerBytes, resolver)
      flush = decoded.value
      end = decoded.offset
    } catch {
      return 'truncated'
    }
    if (end < 0) return 'truncated'
    if (end < bytes.length) return 'trailing_bytes'
    // avsc turns bytes that are no UTF-8 into replacement characters: the original's are looked at instead.
    const encoded = current.toBuffer(flush)
    if (encoded.includes(replacement) && !bytes.includes(replacement)) return 'bad_utf8'
    return Buffer.concat([header, encoded])
  }
}

const replacement = Buffer.from('\ufffd')
