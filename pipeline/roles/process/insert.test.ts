import { expect, test } from 'vitest'
import { systemClock } from '../../adapters/system-clock.ts'
import { StoreAway, StoreRefused, type Store } from '../../ports/store.ts'
import { insertBlock } from './insert.ts'
import { blockTables } from './rows.ts'

test('once a table is refused for good, no other table of the block is tried again', async () => {
  const tables = blockTables()
  for (const rows of [tables.events, tables.features]) {
    rows.reset(0, 0)
    rows.begin()
    rows.end()
  }
  const tries: string[] = []
  const store = {
    insert: ({ table }) => {
      tries.push(table)
      return Promise.reject(table === 'events' ? new StoreRefused('no such column') : new StoreAway('too many parts'))
    },
  } satisfies Pick<Store, 'insert'>
  const name = { logId: 'l', topic: 't', partition: 0, firstOffset: 0, nextOffset: 1, blockAt: 0, ownerId: 'one' }
  let sleeps = 0
  const hooks = {
    clock: {
      ...systemClock,
      async sleep(_: number, signal?: AbortSignal) {
        sleeps++
        await new Promise((resolve) => setImmediate(resolve))
        signal?.throwIfAborted()
      },
    },
    onRetry() {},
    onInserted() {},
    onAnswered() {},
    isDoubtful: () => false,
  }
  const inserting = insertBlock(store as unknown as Store, tables, name, new Map(), new AbortController().signal, hooks)
  await expect(inserting).rejects.toBeInstanceOf(StoreRefused)
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  expect(tries).toEqual(['events', 'user_features'])
  expect(sleeps).toBe(1)
})
