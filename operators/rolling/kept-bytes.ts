// Values that wait, as bytes, until they are asked for. A chunk goes once none of its own waits any more.

const chunkBits = 20
const chunkBytes = 1 << chunkBits
const mostChunks = 1 << (31 - chunkBits)

export type KeptBytes = {
  /** Keeps a copy of bytes [start, end); what to ask `chunkOf` and `placeOf` for it with, 31 bits, or −1: there are 2 GiB, and no room. */
  keep(bytes: Uint8Array, start: number, end: number): number
  chunkOf(handle: number): Uint8Array
  placeOf(handle: number): number
  /** It waits no more. Once for each. */
  drop(handle: number): void
  /** Memory (bytes). */
  size(): number
}

export function keptBytes(): KeptBytes {
  const chunks: (Uint8Array | undefined)[] = []
  const waiting: number[] = [] // by chunk
  let at = chunkBytes // in the last chunk

  return {
    keep(bytes, start, end) {
      if (at + end - start > chunkBytes) {
        if (chunks.length === mostChunks) return -1
        chunks.push(new Uint8Array(Math.max(chunkBytes, end - start)))
        waiting.push(0)
        at = 0
      }
      const chunk = chunks.length - 1
      const into = chunks[chunk]!
      const handle = chunk * chunkBytes + at
      for (let i = start; i < end; i++) into[at++] = bytes[i]!
      waiting[chunk]!++
      return handle
    },
    chunkOf: (handle) => chunks[handle >>> chunkBits]!,
    placeOf: (handle) => handle & (chunkBytes - 1),
    drop(handle) {
      const chunk = handle >>> chunkBits
      if (--waiting[chunk]! > 0) return
      chunks[chunk] = undefined
      if (chunk === chunks.length - 1) at = chunkBytes
    },
    size: () => chunks.reduce((sum, chunk) => sum + (chunk?.length ?? 0), 0),
  }
}
