import fc from 'fast-check'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { OutRecord } from '../../ports/log.ts'
import { recordColumns } from '../shared/record-columns.ts'
import { crc32c } from './crc32c.ts'
import { decodeRecordSet, encodeBatch, scanBatches, type AbortedTransaction } from './record-batches.ts'

const producer = { producerId: 4_711, producerEpoch: 3, firstSequence: 9, transactional: false }

/** As a broker would store it. */
function stored(records: OutRecord[], baseOffset: number, more: Partial<typeof producer> = {}): Buffer {
  const bytes = encodeBatch(records, { ...producer, ...more }, 1_000)
  bytes.writeUInt32BE(baseOffset, 4)
  return bytes
}

function decode(bytes: Buffer, fromOffset = 0, aborted: AbortedTransaction[] = []) {
  const out = recordColumns(0, 0)
  const { end, nextOffset } = scanBatches(bytes, 0, bytes.length, fromOffset)
  decodeRecordSet({ bytes, start: 0, end, nextOffset, aborted }, fromOffset, out)
  const records = Array.from({ length: out.count }, (_, i) => ({
    offset: out.offsets[i],
    timestampMs: out.timestampsMs[i],
    key: out.keys[i] && Buffer.from(out.keys[i]).toString(),
    value: out.values[i] && Buffer.from(out.values[i]).toString(),
    headers: Object.entries(out.headers[i] ?? {}).map(([name, value]) => [name, Buffer.from(value).toString()]),
  }))
  return { records, nextOffset, end }
}

const values = (result: ReturnType<typeof decode>) => result.records.map(({ value }) => value)
const record = (value: string): OutRecord => ({ key: Buffer.from('k'), value: Buffer.from(value) })

/** A commit or abort marker. */
function marker(baseOffset: number, producerId: number): Buffer {
  const bytes = stored([{ key: Buffer.from([0, 0, 0, 1]), value: Buffer.alloc(6) }], baseOffset, { producerId, transactional: true })
  bytes.writeInt16BE(16 | 32, 21)
  return bytes
}

test('CRC-32C of "123456789" is e3069283', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
  expect(crc32c(Buffer.from('xx123456789y'), 2, 11)).toBe(0xe3069283)
})

test('what is encoded is decoded, whatever it is', () => {
  const bytes = fc.option(fc.string({ unit: 'binary', maxLength: 200 }), { nil: null })
  const input = fc.array(
    fc.record({
      key: bytes,
      value: bytes,
      timestampMs: fc.integer({ min: 0, max: 2 ** 52 }),
      headers: fc.dictionary(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 200 }), { maxKeys: 3 }),
    }),
    { minLength: 1, maxLength: 20 },
  )
  fc.assert(
    fc.property(input, fc.nat(2 ** 31), (records, baseOffset) => {
      const buffer = (text: string | null) => (text === null ? null : Buffer.from(text))
      const out = records.map(({ key, value, timestampMs, headers }) => ({
        key: buffer(key),
        value: buffer(value),
        timestampMs,
        headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
      }))
      const result = decode(stored(out, baseOffset))
      expect(result.nextOffset).toBe(baseOffset + records.length)
      expect(result.records).toEqual(
        records.map(({ key, value, timestampMs, headers }, index) => ({
          offset: baseOffset + index,
          timestampMs,
          key,
          value,
          headers: Object.entries(headers),
        })),
      )
    }),
  )
})

test('a batch that the broker cut short is left for the next fetch', () => {
  const whole = stored([record('1'), record('2')], 10)
  const cut = Buffer.concat([whole, stored([record('3')], 12).subarray(0, 65)])
  expect(decode(cut)).toMatchObject({ end: whole.length, nextOffset: 12 })
  expect(values(decode(cut))).toEqual(['1', '2'])
  expect(decode(whole.subarray(0, 30), 10)).toMatchObject({ end: 0, nextOffset: 10, records: [] })
})

test('records before the wanted offset are left out: a batch is sent whole', () => {
  expect(values(decode(stored([record('1'), record('2'), record('3')], 10), 11))).toEqual(['2', '3'])
})

test('under LogAppendTime all records of a batch have its time', () => {
  const bytes = stored([record('1'), record('2')], 0)
  bytes.writeInt16BE(8, 21)
  bytes.writeUInt32BE(77_000, 39)
  expect(decode(bytes).records.map(({ timestampMs }) => timestampMs)).toEqual([77_000, 77_000])
})

test('aborted transactions and markers are left out, committed ones between them are not', () => {
  const bytes = Buffer.concat([
    stored([record('a1')], 0, { producerId: 1, transactional: true }),
    stored([record('b1')], 1, { producerId: 2, transactional: true }),
    stored([record('plain')], 2, { producerId: 1 }),
    stored([record('a2')], 3, { producerId: 1, transactional: true }),
    marker(4, 1), // abort
    marker(5, 2), // commit
    stored([record('a3')], 6, { producerId: 1, transactional: true }),
    marker(7, 1), // commit
    stored([record('a4')], 8, { producerId: 1, transactional: true }),
    marker(9, 1), // abort
  ])
  const result = decode(bytes, 0, [
    { producerId: 1, firstOffset: 0 },
    { producerId: 1, firstOffset: 8 },
  ])
  expect(values(result)).toEqual(['b1', 'plain', 'a3'])
  expect(result.nextOffset).toBe(10)
})

describe('compressed batches', () => {
  const compressed = (codec: number, compress: (bytes: Buffer) => Buffer): Buffer => {
    const plain = stored([record('1'), record('2')], 5)
    const body = compress(plain.subarray(61))
    const bytes = Buffer.concat([plain.subarray(0, 61), body])
    bytes.writeInt32BE(bytes.length - 12, 8)
    bytes.writeInt16BE(codec, 21)
    return bytes
  }

  test.each([
    ['gzip', 1, gzipSync],
    ['zstd', 4, zstdCompressSync],
  ])('%s is read', (_, codec, compress) => {
    expect(values(decode(compressed(codec, compress)))).toEqual(['1', '2'])
  })

  test.each([
    ['snappy', 2],
    ['lz4', 3],
  ])('%s is refused by name', (name, codec) => {
    expect(() => decode(compressed(codec, (bytes) => bytes))).toThrow(`offset 5 is compressed with ${name}`)
  })
})

test('a batch of an old format is refused', () => {
  const bytes = stored([record('1')], 0)
  bytes[16] = 1
  expect(() => decode(bytes)).toThrow(/format 1/)
})
