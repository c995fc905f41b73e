import { expect, test } from 'vitest'
import { partStates, readiness, type Part, type PartState } from './readiness.ts'

const at = Date.UTC(2026, 10, 1)
const part = (state: PartState, error?: string): Part => ({
  role: 'process',
  partition: 2,
  state,
  since: at,
  ...(error === undefined ? {} : { error }),
})
const store = { name: 'store', answers: true, since: at, value: undefined }

test.each(partStates)('%s', (state) => {
  const { ready, body } = readiness([part('running'), part(state)], [store], at + 90_500)
  const isReady = state === 'running' || state === 'standby'
  expect(ready).toBe(isReady)
  const [, shown] = body['parts'] as Record<string, unknown>[]
  expect(shown).toMatchObject({ role: 'process', partition: 2, state, since: '2026-11-01T00:00:00.000Z', for_s: 91 })
  expect(typeof shown!['to_do']).toBe(isReady ? 'undefined' : 'string')
})

test('a program in which nothing has begun is not ready', () => {
  expect(readiness([], [store], at).ready).toBe(false)
})

test('running parts are not enough where a neighbour does not answer', () => {
  const { ready, body } = readiness([part('running')], [{ ...store, answers: false, error: 'no answer for 3 s' }], at)
  expect(ready).toBe(false)
  expect(body['neighbours']).toMatchObject([
    { name: 'store', answers: false, error: 'no answer for 3 s', to_do: expect.stringContaining('ClickHouse') },
  ])
})

test.each([
  ['waiting_for_store', 'insert into events: Too many parts (TOO_MANY_PARTS, code 252)', /system\.merges/],
  ['waiting_for_store', 'insert into events: … (TABLE_IS_READ_ONLY, code 242)', /system\.replicas/],
  ['waiting_for_store', "insert into events: the answer is not ClickHouse's: HTTP status 502", /stands between/],
  ['waiting_for_store', 'insert into events: connect ECONNREFUSED 127.0.0.1:8123', /bring ClickHouse back/],
  ['stopped', 'insert into events: … (ACCESS_DENIED, code 497)', /rights/],
  ['stopped', 'insert into events: … (UNKNOWN_TABLE, code 60)', /reelpulse migrate/],
  ['stopped', 'offset 7 is no longer in the log', /running\.md/],
] as const)('%s, %s: says what to do', (state, error, advice) => {
  const [shown] = readiness([part(state, error)], [], at).body['parts'] as Record<string, unknown>[]
  expect(shown!['to_do']).toMatch(advice)
})

test('a part that restores says how far it is', () => {
  const [shown] = readiness([{ ...part('restoring'), restore: { records: 30, ofRecords: 90 } }], [], at).body['parts'] as unknown[]
  expect(shown).toMatchObject({ state: 'restoring', restored_records: 30, restore_records: 90 })
})
