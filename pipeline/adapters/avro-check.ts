// Is a body well formed in the schema it says it was written in? Asked before avsc reads it: avsc believes any array count
// (38 bytes can make it allocate until the process dies) and any block size, and mends broken UTF-8 silently.
import { isUtf8 } from '../../operators/flush/utf8.ts'
import type { AvroSchema } from '../../schemas/avro.ts'

/** `block_size`: a block of an array or map says a length in bytes that is not its own. */
export type BodyVerdict = 'ok' | 'truncated' | 'block_size' | 'trailing_bytes' | 'bad_utf8'
/** Verdict on bytes [from, end of `bytes`). O(length), whatever the bytes say. */
export type BodyChecker = (bytes: Uint8Array, from: number) => BodyVerdict

type Walk = () => void
type Named = { readonly [key: string]: unknown }

/** Throws where the schema is recursive, or names a type that it does not have. */
export function bodyChecker(writer: AvroSchema): BodyChecker {
  let b: Uint8Array = new Uint8Array(0)
  let p = 0
  let end = 0
  let failure: BodyVerdict = 'ok'
  let badUtf8 = false

  function fail(verdict: BodyVerdict): void {
    if (failure === 'ok') failure = verdict
    p = end
  }

  function skip(bytes: number): void {
    if (bytes > end - p) fail('truncated')
    else p += bytes
  }

  /** A zigzag varint of at most ten bytes. Exact within ±2⁵². */
  function long(): number {
    let value = 0
    let scale = 1
    for (let read = 0; read < 10; read++) {
      if (p === end) break
      const byte = b[p++]!
      value += (byte & 127) * scale
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      scale *= 128
    }
    fail('truncated')
    return 0
  }

  /** Place of a symbol or branch, or -1. In one byte where that is enough, as the fast reader wants it. */
  function index(count: number): number {
    const short = p < end && b[p]! < 128
    const place = long()
    if (place >= 0 && place < count && (short || count > 64)) return place
    fail('truncated')
    return -1
  }

  function text(): void {
    const length = long()
    const from = p
    if (length < 0) fail('truncated')
    else skip(length)
    if (failure === 'ok' && !badUtf8) badUtf8 = !isUtf8(b, from, p)
  }

  function octets(): void {
    const length = long()
    if (length < 0) fail('truncated')
    else skip(length)
  }

  function blocks(item: Walk): Walk {
    return () => {
      while (failure === 'ok') {
        let count = long()
        if (count === 0) return
        const size = count < 0 ? long() : undefined
        const from = p
        count = Math.abs(count)
        // No item is empty, so a count beyond the bytes that are left is a lie, and need not be gone through.
        if (count > end - p) return fail('truncated')
        for (; count > 0 && failure === 'ok'; count--) item()
        if (failure === 'ok' && size !== undefined && p - from !== size) return fail('block_size')
      }
    }
  }

  const names = new Map<string, Walk | undefined>()

  function compile(schema: AvroSchema): Walk {
    if (typeof schema === 'string') return byName(schema)
    if (Array.isArray(schema)) {
      const branches = (schema as readonly AvroSchema[]).map(compile)
      return () => branches[index(branches.length)]?.()
    }
    const of = schema as Named
    switch (of['type']) {
      case 'record': {
        names.set(lastName(of), undefined)
        const fields = (of['fields'] as { type: AvroSchema }[]).map((field) => compile(field.type))
        return named(of, () => {
          for (const field of fields) {
            if (failure !== 'ok') return
            field()
          }
        })
      }
      case 'enum': {
        const count = (of['symbols'] as unknown[]).length
        return named(of, () => void index(count))
      }
      case 'fixed': {
        const size = of['size'] as number
        return named(of, () => skip(size))
      }
      case 'array':
        return blocks(compile(of['items'] as AvroSchema))
      case 'map': {
        const value = compile(of['values'] as AvroSchema)
        return blocks(() => {
          text()
          if (failure === 'ok') value()
        })
      }
      default:
        return compile(of['type'] as AvroSchema)
    }
  }

  function named(of: Named, walk: Walk): Walk {
    names.set(lastName(of), walk)
    return walk
  }

  function byName(name: string): Walk {
    switch (name) {
      case 'null':
        return () => {}
      case 'boolean':
        return () => skip(1)
      case 'int':
      case 'long':
        return () => void long()
      case 'float':
        return () => skip(4)
      case 'double':
        return () => skip(8)
      case 'bytes':
        return octets
      case 'string':
        return text
    }
    const last = name.slice(name.lastIndexOf('.') + 1)
    const walk = names.get(last)
    if (walk !== undefined) return walk
    throw new Error(names.has(last) ? `schema type ${name} contains itself` : `schema has no type ${name}`)
  }

  const walk = compile(writer)

  return (bytes, from) => {
    b = bytes
    p = from
    end = bytes.length
    failure = p > end ? 'truncated' : 'ok'
    badUtf8 = false
    if (failure === 'ok') walk()
    if (failure !== 'ok') return failure
    if (p < end) return 'trailing_bytes'
    return badUtf8 ? 'bad_utf8' : 'ok'
  }
}

function lastName(of: Named): string {
  const name = of['name'] as string
  return name.slice(name.lastIndexOf('.') + 1)
}
