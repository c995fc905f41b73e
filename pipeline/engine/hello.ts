// The answer to the first query of clients that speak the native protocol's blocks over HTTP (clickhouse-go, and so Grafana).
import { lexerOf } from './tokens.ts'

const helloTokens = wordsOf('SELECT displayName(), version(), revision(), timezone()')

export function isHello(sql: string): boolean {
  return wordsOf(sql) === helloTokens
}

function wordsOf(sql: string): string {
  return Array.from(lexerOf(sql)(), ({ text }) => text.toLowerCase()).join(' ')
}

/**
 * One block at the revision that the client announced. It reports revision 0, because the engine's Native output is always that of revision 0 (no
 * block info, no flag per column), and the client decodes what follows at the revision reported here.
 */
export function helloBlock(version: string, timezone: string): Buffer {
  const blockInfo = Buffer.from([1, 0, 2, 255, 255, 255, 255, 0])
  const counts = Buffer.from([4, 1]) // columns, rows
  return Buffer.concat([
    blockInfo,
    counts,
    column('displayName()', 'String', text('chdb')),
    column('version()', 'String', text(version)),
    column('revision()', 'UInt32', Buffer.alloc(4)),
    column('timezone()', 'String', text(timezone)),
  ])
}

function column(name: string, type: string, value: Buffer): Buffer {
  const customSerialization = Buffer.from([0])
  return Buffer.concat([text(name), text(type), customSerialization, value])
}

/** Shorter than 128 bytes. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}
