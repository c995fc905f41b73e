// Flushes of other writer schemas than the current one.
import avsc from 'avsc'
import { expect, test } from 'vitest'
import { flushReader, OK, stringLength, stringStart } from '../../operators/flush/reader.ts'
import { avroSchema, fingerprint, type AvroSchema } from '../../schemas/avro.ts'
import { behaviorBatch } from '../../schemas/behavior-batch.ts'
import { fieldTable, nullable, string } from '../../schemas/field.ts'
import { flushResolver } from './avro-resolver.ts'

const { experiments: _, ...withoutExperiments } = behaviorBatch.fields
const older = avroSchema(fieldTable('BehaviorBatch', withoutExperiments))
const newer = avroSchema(fieldTable('BehaviorBatch', { ...behaviorBatch.fields, network: nullable(string()) }))

const flush = {
  batch_id: Buffer.alloc(16, 1), user_id: '用户', device_id: 'd', platform: 'web', app_version: '1', channel: 'ad', region: 'CN-31', sent_at: 1,
  experiments: { a: 'b' }, network: 'wifi', events: [],
} // prettier-ignore

function written(schema: AvroSchema): Buffer {
  const header = Buffer.of(0xc3, 0x01, 0, 0, 0, 0, 0, 0, 0, 0)
  header.writeBigUInt64LE(fingerprint(schema), 2)
  return Buffer.concat([header, avsc.Type.forSchema(schema as avsc.Schema).toBuffer(flush)])
}

test.each([
  ['an older schema, without experiments', older, 0],
  ['a newer one, with a field that we do not know', newer, 1],
])('%s reads as the current one', (_name, schema, experiments) => {
  const resolved = flushResolver([older, newer])(written(schema))
  expect(resolved).toBeInstanceOf(Uint8Array)
  const reader = flushReader()
  expect(reader.read(resolved as Uint8Array)).toBe(OK)
  const { bytes, user } = reader.columns
  expect(Buffer.from(bytes.subarray(stringStart(bytes, user), stringStart(bytes, user) + stringLength(bytes, user))).toString()).toBe(
    '用户',
  )
  expect(reader.columns.experimentCount).toBe(experiments)
})

test('a fingerprint that nobody told us is an unknown schema', () => {
  expect(flushResolver([older])(written(newer))).toBe('unknown_schema')
})

test('a broken body of a known older schema gets its reason', () => {
  const resolve = flushResolver([older])
  const bytes = written(older)
  expect(resolve(bytes.subarray(0, -1))).toBe('truncated')
  expect(resolve(Buffer.concat([bytes, Buffer.of(0)]))).toBe('trailing_bytes')
  const spoilt = Buffer.from(bytes)
  spoilt[spoilt.indexOf(Buffer.from('用户'))] = 0xff
  expect(resolve(spoilt)).toBe('bad_utf8')
})

test('a writer that the current schema cannot read is refused at the start', () => {
  const { channel: __, ...fields } = behaviorBatch.fields
  expect(() => flushResolver([avroSchema(fieldTable('BehaviorBatch', fields))])).toThrow(/channel/)
})
