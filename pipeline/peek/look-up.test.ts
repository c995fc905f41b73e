import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { views } from '../../operators/views.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { openStore } from '../adapters/open.ts'
import { dataSettings, storeSettings } from '../config/groups.ts'
import { readGroup } from '../config/group.ts'
import type { Store } from '../ports/store.ts'
import { lookUpUser } from './look-up.ts'
import { renderUser } from './render.ts'

const directory = mkdtempSync(join(tmpdir(), 'reelpulse-peek-'))
const open = (topic: string) =>
  openStore({
    data: readGroup(dataSettings, { REELPULSE_DATA: directory }, new Map(), []),
    store: readGroup(storeSettings, {}, new Map(), []),
    topic: { topic },
  })
let store: Store

beforeAll(async () => {
  store = await open('behavior-events')
  await store.migrate(tables, views)
  for (const asOf of ['10:00:05', '10:00:10'])
    await store.command(
      `INSERT INTO user_features (user_id, as_of, block_at, tier, plays_1h, top_categories, top_affinities)
       VALUES ('u''1', '2026-03-01 ${asOf}', '2026-03-01 10:00:10', 'new', ${asOf === '10:00:10' ? 2 : 1}, ['food'], [1.5])`,
    )
  await store.command(
    `INSERT INTO tier_changes (user_id, as_of, block_at, from, to, reason)
     VALUES ('u''1', '2026-03-01 10:00:01', '2026-03-01 10:00:10', 'prospect', 'new', 'registered')`,
  )
  await store.command(
    `INSERT INTO events (user_id, event_at, block_at, offset, ordinal, behavior, watch_ms, duration_ms)
     SELECT 'u''1', '2026-03-01 10:00:00', '2026-03-01 10:00:10', number, 0, 'play', 500, 1000 FROM numbers(5)`,
  )
})
afterAll(async () => {
  await store.close()
  rmSync(directory, { recursive: true })
})

test('the latest row, every change of tier and the last events of one user are found, whatever is in the id', async () => {
  const user = await lookUpUser(store, "u'1", 3)
  expect(user).toMatchObject({ features: { plays_1h: 2, tier: 'new' }, tier_changes: [{ from: 'prospect', to: 'new' }] })
  expect(user!.events.map((event) => event['offset'])).toEqual([4, 3, 2])
  const shown = renderUser(user!, { zone: 'Asia/Shanghai', currency: 'CNY' })
  expect(shown).toContain('2026-03-01 18:00:10')
  expect(shown).toContain('watched 500 of 1000 ms')
})

test('nothing is known of a user who is not there, or of a topic that was never processed', async () => {
  expect(await lookUpUser(store, 'u2', 3)).toBeUndefined()
  const other = await open('another-topic')
  try {
    expect(await lookUpUser(other, "u'1", 3)).toBeUndefined()
  } finally {
    await other.close()
  }
})
