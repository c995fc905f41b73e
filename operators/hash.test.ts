import { expect, test } from 'vitest'
import { murmur2, partitionOf } from './hash.ts'

// org.apache.kafka.common.utils.UtilsTest.testMurmur2
const known: [string, number][] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

test.each(known)('murmur2 of %s is what Kafka says', (text, hash) => {
  const bytes = new TextEncoder().encode(text)
  expect(murmur2(bytes)).toBe(hash)
  const framed = new Uint8Array([7, 7, 7, ...bytes, 7])
  expect(murmur2(framed, 3, bytes.length)).toBe(hash)
})

test('a negative hash still gives a partition', () => {
  expect(partitionOf(new TextEncoder().encode('21'), 4)).toBe((-973932308 & 0x7fffffff) % 4)
})
