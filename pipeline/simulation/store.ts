// The simulated ClickHouse: a part of a table is there whole or not at all, and a window of tokens drops what comes twice.
import { StoreAway, type InsertBlock, type Store } from '../ports/store.ts'
import { partHead, type PartHead } from '../roles/process/block-rows.ts'
import { presentPartsSql } from '../roles/process/present-parts.ts'
import type { CallFault, Host, Network } from './world.ts'

export type StoredPart = PartHead & { rows: Uint8Array }

export type StoreServer = ReturnType<typeof storeServer>

export function storeServer(windowBlocks: number) {
  const tables = new Map<string, StoredPart[]>()
  /** By table, oldest first. */
  const tokens = new Map<string, Set<string>>()

  /** False where the token is known. */
  function remember({ table, token }: InsertBlock): boolean {
    const known = tokens.get(table) ?? new Set()
    tokens.set(table, known)
    if (known.has(token)) return false
    known.add(token)
    if (known.size > windowBlocks) for (const oldest of known) return known.delete(oldest)
    return true
  }

  return {
    parts: (table: string): readonly StoredPart[] => tables.get(table) ?? [],
    insert(block: InsertBlock): void {
      if (!remember(block)) return
      const { table, rows } = block
      const stored = tables.get(table) ?? []
      tables.set(table, stored)
      stored.push({ ...partHead(rows), rows: rows.slice() })
    },
    /** Killed between the token and the part: the token is known, and the part is not there. */
    dieInsideInsert: (block: InsertBlock) => void remember(block),
    presentParts(table: string, partition: number, from: number) {
      return this.parts(table)
        .filter((stored) => stored.partition === partition && stored.firstOffset >= from)
        .map(({ firstOffset, part }) => ({ first_offset: firstOffset, part }))
    },
    /** The windows have moved on, as after a long time with much traffic of others. */
    forgetTokens(): void {
      tokens.clear()
    },
    /** Drops one part of a table: what merging does to rows that newer ones replace. */
    drop(table: string, which: (part: StoredPart) => boolean): void {
      tables.set(
        table,
        this.parts(table).filter((part) => !which(part)),
      )
    },
  }
}

const away = (why: string) => new StoreAway(`store: ${why}`)

export function simulatedStore(
  server: StoreServer,
  host: Host,
  network: Network,
  faultOf: (call: 'insert' | 'query') => CallFault,
  diesInsideInsert: () => boolean,
): Store {
  return {
    async migrate() {},
    insert: (block) => {
      // What was sent is what arrives, whatever the caller does with its buffer meanwhile.
      const sent = { ...block, rows: block.rows.slice() }
      if (diesInsideInsert()) return network.call(host, 'reply lost', () => server.dieInsideInsert(sent), away)
      return network.call(host, faultOf('insert'), () => server.insert(sent), away)
    },
    async query<T>(sql: string, params: Readonly<Record<string, unknown>> = {}): Promise<T[]> {
      // Its topics keep the partitions that they have.
      if (sql.startsWith('SELECT DISTINCT partition_count ')) return network.call(host, faultOf('query'), () => [], away)
      const names = [...sql.matchAll(/FROM (\w+)/g)].map(([, name]) => name!)
      if (sql !== presentPartsSql(names)) throw new Error(`the simulated store does not know: ${sql}`)
      const { partition, from } = params as { partition: number; from: number }
      const rows = () => names.flatMap((name) => server.presentParts(name, partition, from).map((part) => ({ name, ...part })))
      return network.call(host, faultOf('query'), () => rows() as T[], away)
    },
    async command(sql) {
      throw new Error(`the simulated store does not know: ${sql}`)
    },
    async ping() {
      return network.call(host, faultOf('query'), () => true, away)
    },
    async close() {},
  }
}
