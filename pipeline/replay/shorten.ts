// A flush with only some of its events. What stays is copied as it was written: numbers that no writer of ours would encode
// (an amount of 2⁵³) are accepted by the operators, and must not be changed or stumbled over here.
import { behaviorBatch, behaviorEvent } from '../../schemas/behavior-batch.ts'
import type { Field } from '../../schemas/field.ts'

const headerBytes = 10

/** `flush`: in the current schema, and one that the operators have read, so that all lengths in it hold. */
export function shortened(flush: Uint8Array, ordinals: ReadonlySet<number>): Uint8Array {
  let at = headerBytes

  /** A zigzag varint; exact for lengths and counts. */
  function number(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = flush[at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
  }

  function text(): void {
    const length = number()
    at += length
  }

  function blocks(item: () => void): void {
    for (let count = number(); count !== 0; count = number()) {
      if (count < 0) number()
      for (let i = Math.abs(count); i > 0; i--) item()
    }
  }

  function pass({ kind }: Field): void {
    if (kind.of === 'uuid') at += 16
    else if (kind.of === 'string') text()
    else if (kind.of === 'enumeration' || kind.of === 'instant' || kind.of === 'integer') number()
    else if (kind.of === 'nullable') {
      if (number() === 1) pass(kind.inner)
    } else if (kind.of === 'map')
      blocks(() => {
        text()
        text()
      })
    else throw new Error(`a flush has no field of kind ${kind.of}`)
  }

  for (const [name, field] of Object.entries(behaviorBatch.fields)) if (name !== 'events') pass(field)
  const parts = [flush.subarray(0, at), count(ordinals.size)]
  let ordinal = 0
  blocks(() => {
    const from = at
    for (const field of Object.values(behaviorEvent.fields)) pass(field)
    if (ordinals.has(ordinal++)) parts.push(flush.subarray(from, at))
  })
  return Buffer.concat([...parts, Uint8Array.of(0)])
}

/** Of a block: 1 to 8,191. */
function count(items: number): Uint8Array {
  return items < 64 ? Uint8Array.of(items * 2) : Uint8Array.of(((items * 2) & 127) | 128, items >> 6)
}
