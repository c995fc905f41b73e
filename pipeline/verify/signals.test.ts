import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { signalTables } from '../../schemas/tables/catalogue.ts'
import { customerSignalsTable, type CustomerSignalRow } from '../../schemas/tables/customer-signals.ts'
import type { Store } from '../ports/store.ts'
import { insertRows, openTestStore } from './hand-made.ts'
import { verifySignals } from './signals.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore(signalTables)
})
afterAll(() => store?.close())
beforeEach(() => store.command('TRUNCATE TABLE customer_signals'))

const at = Date.UTC(2026, 2, 10)
const hourMs = 3_600_000
const id = (n: number) => Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? n : 7))

/** Right, but for what is told. */
const made = (offset: number, of: Partial<CustomerSignalRow> = {}): CustomerSignalRow => {
  const clock = of.clock_at ?? at + offset * 1_000
  return {
    partition: 0, first_offset: 0, part: 0, block_at: clock, offset, operator_version: 1, record_at: clock, received_at: clock,
    clock_at: clock, event_at: clock - 500, occurred_at: clock - 500, sent_at: clock, signal_id: id(offset), kind: 'service_rating',
    user_id: 'ann', channel: null, score: 5, seconds: null, content_id: null, severity: null, amount_minor: null, currency: null,
    ...of,
  } // prettier-ignore
}
const cost = { kind: 'cost', user_id: null, channel: 'ad', score: null, amount_minor: 100, currency: 'CNY' } as const

test('signals that are right: no finding, ids that were forgotten meanwhile included', async () => {
  await insertRows(store, customerSignalsTable, [
    made(0),
    made(1, cost),
    made(2, { signal_id: id(0), user_id: 'ben' }),
    made(3, { signal_id: id(0), clock_at: at + 745 * hourMs }),
    made(4, { kind: 'content_report', score: null, content_id: 'v', clock_at: at + 746 * hourMs }),
  ])
  expect(await verifySignals(store, 'CNY')).toEqual({ signals: 5, findings: 0, examples: [] })
})

test.each<[string, Partial<CustomerSignalRow>, string]>([
  ['twice', { offset: 0, signal_id: id(9), clock_at: at }, 'offset 0: it is there twice'],
  ['an id again', { signal_id: id(0), clock_at: at + 744 * hourMs }, 'offset 1: its id was accepted in the 31 days before'],
  ['another time', { event_at: at }, 'offset 1: event_at is not'],
  ['a clock that falls', { clock_at: at - 1_000 }, 'offset 1: the clock is earlier'],
  ['too old', { occurred_at: at - 31 * 24 * hourMs, event_at: at - 31 * 24 * hourMs }, 'offset 1: was too old'],
  ['a score of 6', { score: 6 }, 'offset 1: a rating without a score from 1 to 5'],
  ['no score', { kind: 'nps_response', score: null }, 'offset 1: a response without a score'],
  ['no seconds', { kind: 'service_reply' }, 'offset 1: a reply without seconds'],
  ['a foreign currency', { ...cost, currency: 'USD' }, 'offset 1: a cost without'],
])('%s is found', async (_, of, says) => {
  await insertRows(store, customerSignalsTable, [made(0), made(1, of)])
  const { signals, findings, examples } = await verifySignals(store, 'CNY')
  expect({ signals, findings }).toEqual({ signals: 2, findings: 1 })
  expect(examples[0]).toContain(says)
})
