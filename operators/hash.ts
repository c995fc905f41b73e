// Hashes that are part of the contract: partitions of keys, and the second of a user's decay rows, come from murmur2.

/**
 * MurmurHash2 with Kafka's seed, as org.apache.kafka.common.utils.Utils.murmur2: a signed 32-bit number.
 * The Java client's partition of a key is `(murmur2(key) & 0x7fffffff) % partitions`.
 */
export function murmur2(bytes: Uint8Array, offset = 0, length = bytes.length - offset): number {
  const m = 0x5bd1e995
  let h = 0x9747b28c ^ length
  let at = offset
  for (let words = length >>> 2; words > 0; words--, at += 4) {
    let k = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    h = Math.imul(h, m) ^ Math.imul(k, m)
  }
  const rest = length & 3
  if (rest > 0) {
    if (rest === 3) h ^= (bytes[at + 2] as number) << 16
    if (rest >= 2) h ^= (bytes[at + 1] as number) << 8
    h = Math.imul(h ^ (bytes[at] as number), m)
  }
  h = Math.imul(h ^ (h >>> 13), m)
  return h ^ (h >>> 15)
}

/** The partition that Kafka's Java client, and so every producer of ours, gives a key. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}
