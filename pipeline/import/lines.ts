// A file's lines, in the chunks in which they are read, and its digest on the way: it is read once, however large it is.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/** Borrowed: valid until the next chunk. Without its end (LF or CR LF). */
export type Line = { readonly number: number; readonly bytes: Buffer; /** Cut off at `maxLineBytes`. */ readonly tooLong: boolean }

export const maxLineBytes = 1_000_000
const chunkBytes = 1_000_000
const [lineFeed, carriageReturn] = [10, 13] as const

export type LineReader = {
  chunks(): AsyncGenerator<Line[]>
  /** Of all bytes, once `chunks` is done: SHA-256 in hex. */
  digest(): string
  bytesRead(): number
}

export function lineReader(path: string, signal?: AbortSignal): LineReader {
  const hash = createHash('sha256')
  let bytesRead = 0
  return {
    async *chunks() {
      let rest: Buffer = Buffer.alloc(0)
      let restTooLong = false
      let number = 0
      const take = (bytes: Buffer, tooLong: boolean): Line => {
        number++
        if (number === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) bytes = bytes.subarray(3)
        if (bytes.at(-1) === carriageReturn) bytes = bytes.subarray(0, -1)
        return { number, bytes: bytes.subarray(0, maxLineBytes), tooLong: tooLong || bytes.length > maxLineBytes }
      }
      for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes, signal }) as AsyncIterable<Buffer>) {
        hash.update(chunk)
        bytesRead += chunk.length
        const lines: Line[] = []
        let from = 0
        for (let end = chunk.indexOf(lineFeed); end >= 0; from = end + 1, end = chunk.indexOf(lineFeed, from)) {
          const bytes = chunk.subarray(from, end)
          lines.push(take(rest.length === 0 ? bytes : Buffer.concat([rest, bytes]), restTooLong))
          rest = Buffer.alloc(0)
          restTooLong = false
        }
        if (from < chunk.length) {
          // Only as much is kept of a line without an end as it takes to say so.
          if (rest.length <= maxLineBytes) rest = Buffer.concat([rest, chunk.subarray(from)])
          restTooLong = rest.length > maxLineBytes + 1
        }
        if (lines.length > 0) yield lines
      }
      if (rest.length > 0) yield [take(rest, restTooLong)]
    },
    digest: () => hash.digest('hex'),
    bytesRead: () => bytesRead,
  }
}
