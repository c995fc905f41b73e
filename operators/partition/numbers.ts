// A compact form of a list of numbers: integers as varints, anything else as eight bytes. Used for state at rest.
import { grown } from '../users/registry.ts'

export type NumberWriter = {
  push(value: number): void
  bytes(source: Uint8Array): void
  /** What was written since the last `take`, as a copy. */
  take(): Uint8Array
  length(): number
}

const largest = 2 ** 50

/** An integer is a varint of zigzag · 2; the single byte 1 announces a double, little endian. */
export function numberWriter(): NumberWriter {
  let buffer = new Uint8Array(4096)
  let at = 0
  const double = new Float64Array(1)
  const doubleBytes = new Uint8Array(double.buffer)

  const room = (length: number) => {
    if (at + length > buffer.length) buffer = grown(buffer, Math.max(buffer.length * 2, at + length))
  }
  return {
    push(value) {
      room(12)
      if (Number.isInteger(value) && value < largest && value > -largest && !Object.is(value, -0)) {
        let rest = (value < 0 ? -value * 2 - 1 : value * 2) * 2
        while (rest > 127) {
          buffer[at++] = (rest % 128) | 128
          rest = Math.floor(rest / 128)
        }
        buffer[at++] = rest
        return
      }
      buffer[at++] = 1
      double[0] = value
      for (let i = 0; i < 8; i++) buffer[at++] = doubleBytes[i]!
    },
    bytes(source) {
      room(source.length)
      buffer.set(source, at)
      at += source.length
    },
    take() {
      const taken = buffer.slice(0, at)
      at = 0
      return taken
    },
    length: () => at,
  }
}

/** Reads what `numberWriter` wrote; throws a RangeError past the end. */
export function numberReader(source: Uint8Array) {
  let at = 0
  const double = new Float64Array(1)
  const doubleBytes = new Uint8Array(double.buffer)
  const byte = () => {
    if (at >= source.length) throw new RangeError(`state ends at byte ${at}, in the middle of a value`)
    return source[at++]!
  }
  return {
    next(): number {
      let x = byte()
      if (x === 1) {
        for (let i = 0; i < 8; i++) doubleBytes[i] = byte()
        return double[0]!
      }
      let value = x & 127
      let scale = 128
      while (x > 127) {
        x = byte()
        value += (x & 127) * scale
        scale *= 128
      }
      value /= 2
      return value % 2 === 1 ? -(value + 1) / 2 : value / 2
    },
    bytes(length: number): Uint8Array {
      if (at + length > source.length) throw new RangeError(`state ends before byte ${at + length}`)
      at += length
      return source.subarray(at - length, at)
    },
    ended: () => at >= source.length,
  }
}
