// CRC-32C (Castagnoli), which seals a Kafka record batch; Node's zlib has only the other CRC-32. Eight bytes a step.

const tables = Array.from({ length: 8 }, () => new Int32Array(256))

for (let byte = 0; byte < 256; byte++) {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  ;(tables[0] as Int32Array)[byte] = crc
}
for (let table = 1; table < 8; table++) {
  for (let byte = 0; byte < 256; byte++) {
    const before = (tables[table - 1] as Int32Array)[byte] as number
    ;(tables[table] as Int32Array)[byte] = (before >>> 8) ^ ((tables[0] as Int32Array)[before & 255] as number)
  }
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
]

export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1
  let at = start
  for (; at + 8 <= end; at += 8) {
    const a =
      crc ^
      ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24))
    crc =
      (t7[a & 255] as number) ^
      (t6[(a >>> 8) & 255] as number) ^
      (t5[(a >>> 16) & 255] as number) ^
      (t4[a >>> 24] as number) ^
      (t3[bytes[at + 4] as number] as number) ^
      (t2[bytes[at + 5] as number] as number) ^
      (t1[bytes[at + 6] as number] as number) ^
      (t0[bytes[at + 7] as number] as number)
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[at] as number)) & 255] as number)
  return ~crc >>> 0
}
