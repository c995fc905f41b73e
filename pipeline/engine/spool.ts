// Bodies of inserts, written to files that the engine reads: inline data would end at its first blank line.
// Memory-backed where there is room, else the directory for temporary files.
import { createWriteStream, readdirSync, rmSync, statfsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { makePrivate } from './address.ts'
import { faults, type Fault } from './fault.ts'

export type Spooled = { path: string; bytes: number; remove(): Promise<void> }

export type Spool = {
  /** `head` goes before what `body` yields. Throws a Fault above the limit; leaves no file behind where it throws. */
  write(body: AsyncIterable<Uint8Array> | undefined, head?: Uint8Array): Promise<Spooled>
  /** Where a file of up to so many bytes may be written by others, who remove it again. */
  place(maxBytes: number): string
  /** Bytes of files that are there now. */
  bytesHeld(): number
}

export type SpoolOptions = {
  /** Preferred first. All are this engine's own: what lies there from an earlier run is removed. */
  directories: readonly string[]
  maxBodyBytes: number
}

export function openSpool(options: SpoolOptions): Spool {
  for (const directory of options.directories) sweep(directory)
  let sequence = 0
  let held = 0
  // Bodies come without a length: a directory has room where the largest would still fit beside those under way.
  let writing = 0
  const roomy = (directory: string, maxBytes: number): boolean => {
    try {
      const { bavail, bsize } = statfsSync(directory)
      return bavail * bsize > maxBytes
    } catch {
      return false
    }
  }
  const directoryFor = (maxBytes: number): string =>
    options.directories.find((directory) => roomy(directory, options.maxBodyBytes * writing + maxBytes)) ?? options.directories.at(-1)!
  return {
    place: (maxBytes) => join(directoryFor(maxBytes), `${++sequence}.result`),
    async write(body, head) {
      const path = join(directoryFor(options.maxBodyBytes), `${++sequence}.body`)
      let bytes = 0
      const tooLarge = (): Fault => faults.tooLarge(`The body exceeds ${options.maxBodyBytes} bytes; send it in smaller inserts.`)
      const limited = new Transform({
        // What is a little too long is read to its end: a client that is still sending would not see the answer.
        transform(chunk: Buffer, _encoding, done) {
          bytes += chunk.length
          if (bytes <= options.maxBodyBytes) done(null, chunk)
          else if (bytes > 4 * options.maxBodyBytes) done(tooLarge())
          else done()
        },
        flush(done) {
          if (bytes > options.maxBodyBytes) done(tooLarge())
          else done()
        },
      })
      writing++
      try {
        const file = createWriteStream(path, { mode: 0o600 })
        if (head !== undefined && head.length > 0) limited.write(head)
        if (body === undefined) {
          limited.end()
          await pipeline(limited, file)
        } else await pipeline(body, limited, file)
      } catch (error) {
        await rm(path, { force: true })
        throw error
      } finally {
        writing--
      }
      held += bytes
      return {
        path,
        bytes,
        async remove() {
          held -= bytes
          await rm(path, { force: true })
        },
      }
    },
    bytesHeld: () => held,
  }
}

/** A killed engine leaves its bodies behind; whoever inserts them will send them again. */
function sweep(directory: string): void {
  makePrivate(directory)
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { force: true, recursive: true })
}
