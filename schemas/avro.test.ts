// The derived schemas against the contract, and against every version that ever was.
import { readdirSync, readFileSync } from 'node:fs'
import avsc from 'avsc'
import { describe, expect, test } from 'vitest'
import { encodeSingleObject } from './avro-encode.ts'
import { avroSchema, canonicalForm, fingerprintHex, singleObjectHeader, type AvroSchema } from './avro.ts'
import { behaviorBatch } from './behavior-batch.ts'
import { fieldTable, nullable, string } from './field.ts'
import { generatedFiles, publicRecords } from './generate.ts'
import { tables } from './tables/catalogue.ts'
import { tierChangeMessage } from './tables/tier-changes.ts'

const history = (name: string) =>
  readdirSync(new URL('history/', import.meta.url))
    .filter((file) => file.startsWith(`${name}-`))
    .map((file) => ({ file, schema: JSON.parse(readFileSync(new URL(`history/${file}`, import.meta.url), 'utf8')) as AvroSchema }))

test("the input's fingerprint is the contract's", () => {
  expect(fingerprintHex(avroSchema(behaviorBatch))).toBe('9f7fa635b1204fba')
})

test("the canonical form of a schema does not depend on docs, defaults, logical types or the order of a type's keys", () => {
  const plain = { type: 'record', name: 'reelpulse.R', fields: [{ name: 'at', type: 'long' }] }
  const dressed = {
    name: 'R',
    doc: 'd',
    namespace: 'reelpulse',
    fields: [{ doc: 'x', default: 0, type: { logicalType: 'timestamp-millis', type: 'long' }, name: 'at' }],
    type: 'record',
  }
  expect(canonicalForm(dressed)).toBe(canonicalForm(plain))
  expect(fingerprintHex(dressed)).toBe(fingerprintHex(plain))
})

test("the canonical form of every table's schema is that of the reference implementation", () => {
  const nested = {
    type: 'record',
    name: 'a.b.R',
    fields: [
      { name: 'x', type: { type: 'fixed', name: 'F', size: 2 } },
      { name: 'y', type: 'F' },
    ],
  }
  const schemas = [nested, ...[behaviorBatch, tierChangeMessage, ...tables.map(({ record }) => record)].map(avroSchema)]
  for (const schema of schemas) expect(canonicalForm(schema)).toBe(JSON.stringify(avsc.Type.forSchema(schema as avsc.Schema).schema()))
})

test('fingerprints of the simplest schemas are those of the Avro specification', () => {
  // "int" and "string", from the specification's own reference implementation.
  expect(fingerprintHex('int')).toBe('7275d51a3f395c8f')
  expect(fingerprintHex('string')).toBe('8f014872634503c7')
})

describe.each(publicRecords.map((record) => [record.name, record] as const))('%s', (name, record) => {
  test('the newest frozen copy is the current schema', () => {
    const current = generatedFiles().find((file) => file.path.includes(`/${name}-`))!
    expect(readFileSync(new URL(`../${current.path}`, import.meta.url), 'utf8')).toBe(current.content)
  })

  test('whatever was written in any frozen schema can be read, and the file is named after its fingerprint', () => {
    const reader = avsc.Type.forSchema(avroSchema(record) as avsc.Schema)
    for (const { file, schema } of history(name)) {
      expect(file).toBe(`${name}-${fingerprintHex(schema)}.avsc`)
      expect(() => reader.createResolver(avsc.Type.forSchema(schema as avsc.Schema))).not.toThrow()
    }
  })
})

test('whoever knows any frozen schema of a message that we write can read what we write now', () => {
  const writer = avsc.Type.forSchema(avroSchema(tierChangeMessage) as avsc.Schema)
  for (const { file, schema } of history('TierChange'))
    expect(() => avsc.Type.forSchema(schema as avsc.Schema).createResolver(writer), file).not.toThrow()
})

test('a change that cannot read what was written before is refused by that test', () => {
  const { experiments: _, ...rest } = behaviorBatch.fields
  const renamed = avsc.Type.forSchema(avroSchema(fieldTable('BehaviorBatch', { ...rest, trials: string() })) as avsc.Schema)
  const compatible = avsc.Type.forSchema(avroSchema(fieldTable('BehaviorBatch', { ...rest, note: nullable(string()) })) as avsc.Schema)
  const [writer] = history('BehaviorBatch').map(({ schema }) => avsc.Type.forSchema(schema as avsc.Schema))
  expect(() => renamed.createResolver(writer!)).toThrow()
  expect(() => compatible.createResolver(writer!)).not.toThrow()
})

test('a message encodes as the reference encoder encodes it', () => {
  const type = avsc.Type.forSchema(avroSchema(tierChangeMessage) as avsc.Schema)
  const change = {
    user_id: '用户-2', from: 'new', to: 'loyal', as_of: 1_790_856_600_000, reason: 'because', recency_score: 5, frequency_score: 1, monetary_score: 3,
  } as const // prettier-ignore
  expect(Buffer.from(encodeSingleObject(tierChangeMessage, change))).toEqual(
    Buffer.concat([singleObjectHeader(tierChangeMessage), type.toBuffer(change)]),
  )
})

describe.each(['empty', 'one-play', 'purchase-and-search'])('the contract sample %s', (name) => {
  test('decodes to what stands beside it, and encodes to the same bytes', () => {
    const bytes = readFileSync(new URL(`samples/${name}.bin`, import.meta.url))
    const says = JSON.parse(readFileSync(new URL(`samples/${name}.json`, import.meta.url), 'utf8')) as Record<string, unknown>
    const type = avsc.Type.forSchema(avroSchema(behaviorBatch) as avsc.Schema)
    expect(bytes.subarray(0, 10)).toEqual(Buffer.from(singleObjectHeader(behaviorBatch)))
    const hex = (_: string, value: unknown) =>
      value !== null && typeof value === 'object' && 'data' in value
        ? Buffer.from((value as { data: number[] }).data).toString('hex')
        : value
    const flush = type.fromBuffer(bytes.subarray(10)) as Record<string, unknown>
    expect(JSON.parse(JSON.stringify(flush, hex))).toEqual(says)
    expect(Buffer.from(encodeSingleObject(behaviorBatch, flush as never))).toEqual(bytes)
  })
})
