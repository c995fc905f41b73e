// Marks at rest: those of hours and days that are over wait in their values, and nobody is counted twice or not at all for that.
import { expect, test } from 'vitest'
import { encodeSingleObject } from '../../schemas/avro-encode.ts'
import { behaviorBatch } from '../../schemas/behavior-batch.ts'
import { grains, kpiMeasures } from '../../schemas/tables/kpi-deltas.ts'
import { defaultSettings } from '../settings.ts'
import { plainBatch, plainEvent, uuidOf } from '../testing/generate.ts'
import { keptState } from './kept-state.ts'
import { splitMarks, type MarksGeneration } from './marks-state.ts'
import { partitionOperator } from './partition.ts'

const ignore = () => {}
const dayMs = 86_400_000
const hourMs = 3_600_000
const start = Date.UTC(2026, 10, 1, 12)

let ids = 0
function owner(settings = defaultSettings) {
  const operator = partitionOperator({
    settings, partition: 0, partitionCount: 1, operators: 'all', resolve: () => 'unknown_schema',
    sink: { accepted: ignore, rejectedEvent: ignore, rejectedRecord: ignore, features: ignore, tierChanged: ignore },
  }) // prettier-ignore
  const kept = keptState(operator.state)
  let offset = 0
  /** A flush of one event; what it adds to the distinct counts, by grain, bucket and cell. */
  const comes = (
    user: string,
    clock: number,
    at: number,
    session: string | null = null,
    categories: readonly (string | null)[] = [null],
  ) => {
    const events = categories.map((category) => ({ ...plainEvent(uuidOf(ids++), 'like', at), session_id: session, category }))
    const value = encodeSingleObject(behaviorBatch, { ...plainBatch(user, clock, events), sent_at: clock })
    operator.apply(offset++, clock, new TextEncoder().encode(user), value, undefined)
    const added: Record<string, number[]> = {}
    operator.kpis.drain((grain, bucketAt, dimension, cell, measures, from) => {
      const distinct = (['active_users', 'engaged_users', 'sessions'] as const).map((name) => measures[from + kpiMeasures.indexOf(name)]!)
      if (distinct.some((count) => count > 0)) added[`${grains[grain]} ${bucketAt} ${dimension} ${cell}`] = distinct
    })
    return added
  }
  /** How many users, and sessions, a flush adds to its day. */
  const inDay = (...flush: Parameters<typeof comes>) => {
    const [added] = Object.entries(comes(...flush)).filter(([cell]) => cell.startsWith('day') && cell.endsWith(' 0 '))
    return added === undefined ? [0, 0] : [added[1][0], added[1][2]]
  }
  return { operator, kept, comes, inDay }
}
type Owner = ReturnType<typeof owner>

const named = (error: unknown) => new RangeError(`value 7: ${(error as Error).message}`)

/** A new owner, with the users of the one before it and the marks of all checkpoints up to then. */
function goOn(before: Owner, values: readonly MarksGeneration[], without: readonly string[] = [], settings = defaultSettings): Owner {
  const after = owner(settings)
  const reader = after.kept.reader()
  const { users } = before.kept
  for (let slot = users.count() - 1; slot >= 0; slot--) {
    const id = users.id(slot)
    if (!without.includes(new TextDecoder().decode(id))) reader.put(reader.slotFor(id, 0), before.kept.writeUser(slot))
  }
  reader.done(before.operator.clock())
  for (const { grain, marks } of values) after.kept.putMarks(grain, marks, named)
  return after
}

test('a late event after a restore counts who was counted that day no more, and everybody else once', () => {
  const first = owner()
  expect(first.inDay('ann', start, start, 's1')).toEqual([1, 1])
  first.comes('bob', start + 5 * dayMs, start + 5 * dayMs)
  const now = start + 20 * dayMs
  first.comes('cyd', now, now)
  const values = first.kept.takeMarks()
  const second = goOn(first, values)
  expect(second.inDay('ann', now, start + hourMs, 's1')).toEqual([0, 0])
  expect(second.inDay('ann', now, start + hourMs, 's2')).toEqual([0, 1])
  expect(second.inDay('bob', now, start + hourMs)).toEqual([1, 0])
  expect(second.inDay('bob', now, start + hourMs)).toEqual([0, 0])
  expect(second.inDay('dan', now, start)).toEqual([1, 0])
  expect(second.inDay('bob', now, start + 5 * dayMs)).toEqual([0, 0])
  // Each checkpoint has what is new, and nothing that was asked for in between.
  const newer = second.kept.takeMarks()
  const third = goOn(second, [...newer, ...values])
  expect(third.kept.takeMarks()).toEqual([])
  for (const user of ['ann', 'bob', 'dan']) expect(third.inDay(user, now, start), user).toEqual([0, 0])
  expect(third.kept.newMarks()).toBe(0)
  expect(third.inDay('cyd', now, start)).toEqual([1, 0])
  // Of the newer ones alone, ann's first session is not known.
  expect(goOn(second, newer).inDay('ann', now, start, 's1')).toEqual([1, 1])
})

test('a user who was erased before the restore, and comes again, is counted as one who was never there', () => {
  const first = owner()
  first.comes('ann', start, start)
  first.comes('bob', start + 9 * dayMs, start + 9 * dayMs)
  const second = goOn(first, first.kept.takeMarks(), ['ann'])
  expect(second.inDay('ann', start + 9 * dayMs, start)).toEqual([1, 0])
})

test('marks of a day that is over are read when it is asked for, and a broken value is told then as it is at once', () => {
  const first = owner()
  first.comes('ann', start, start)
  const now = start + 20 * dayMs
  first.comes('ann', now, now)
  const values = first.kept.takeMarks().filter(({ grain }) => grain === 'day')
  expect(values).toHaveLength(2)
  const broken = (n: number, change: (marks: Uint8Array) => Uint8Array) => [{ ...values[n]!, marks: change(values[n]!.marks.slice()) }]
  /** Its last byte is the number of a cell. */
  const withoutCell = (n: number) => broken(n, (marks) => marks.fill(0xff, -1))
  expect(() => goOn(first, withoutCell(1))).toThrow(/^value 7: it .*broken$/)
  const second = goOn(first, withoutCell(0))
  second.comes('ann', now, now)
  second.comes('ann', now, now - 5 * dayMs)
  expect(() => second.comes('ann', now, start)).toThrow(/^value 7: it .*broken$/)
  // What is cut short, or of another version, is told at once.
  for (const cut of [0, 1, 3, 9, -1])
    expect(
      () =>
        goOn(
          first,
          broken(0, (marks) => marks.slice(0, cut)),
        ),
      `${cut}`,
    ).toThrow(/^value 7: .*(cut short|broken)$/)
  expect(() =>
    goOn(
      first,
      broken(0, (marks) => marks.fill(9, 0, 1)),
    ),
  ).toThrow(/^value 7: marks of version 9; this program knows/)
})

test('days with few marks share a value, and there are never many more than days', () => {
  const first = owner()
  const now = start + 25 * dayMs
  for (let user = 0; user < 300; user++) first.comes(`u${user}`, now, now)
  for (let user = 0; user < 300; user++) first.comes(`u${user}`, now, now - dayMs)
  for (let day = 2; day < 25; day++) first.comes('u1', now, now - day * dayMs)
  const days = first.kept.takeMarks().filter(({ grain }) => grain === 'day')
  expect(days).toHaveLength(3)
  const second = goOn(first, days.toReversed())
  for (let day = 24; day >= 0; day--) {
    expect(second.inDay('u1', now, now - day * dayMs), `${day}`).toEqual([0, 0])
    expect(second.inDay('u2', now, now - day * dayMs), `${day}`).toEqual([day < 2 ? 0 : 1, 0])
  }
})

test.each([1, 2])('new owners, however often, count what one alone would count (seed %i)', (seed) => {
  let state = seed
  const random = (below: number) => ((state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16) % below
  const alone = owner()
  let current = owner()
  let values: MarksGeneration[] = []
  let clock = start
  let owners = 0
  let late = 0
  for (let step = 0; step < 600; step++) {
    clock += random(3) * hourMs * random(4)
    const ago = [random(29) * dayMs + random(24) * hourMs, random(60) * hourMs, random(90) * 60_000][random(3)]!
    const flush = [`u${random(12)}`, clock, clock - ago, random(2) === 0 ? null : `s${random(3)}`] as const
    const added = current.comes(...flush)
    expect(added, `step ${step}`).toEqual(alone.comes(...flush))
    if (ago > 3 * dayMs && Object.keys(added).length === 0) late++
    if (random(20) !== 0) continue
    values.push(...current.kept.takeMarks())
    if (random(2) === 0) continue
    // Sometimes a repartition wrote them anew, in two parts.
    if (random(2) === 0)
      values = values.flatMap((one) => [...splitMarks(one.marks, (hash) => hash & 1).values()].map((marks) => ({ ...one, marks })))
    current = goOn(
      current,
      values.toSorted(() => random(3) - 1),
    )
    owners++
  }
  expect(owners).toBeGreaterThan(5)
  expect(late).toBeGreaterThan(5)
})

test('marks of very many cells, and of cells far down a list, come back as they were', () => {
  const category = Array.from({ length: 2_500 }, (_, i) => `c${i}`)
  const settings = { ...defaultSettings, dimensions: { ...defaultSettings.dimensions, category } }
  const wanted = { few: category.slice(15, 18), far: category.slice(-2), many: category.slice(0, 100), most: category.slice(100, 350) }
  const first = owner(settings)
  for (const [user, categories] of Object.entries(wanted)) first.comes(user, start, start, null, categories)
  const second = goOn(first, first.kept.takeMarks(), [], settings)
  for (const [user, categories] of Object.entries(wanted)) {
    expect(second.comes(user, start, start, null, categories), user).toEqual({})
    const [added, none] = [category[1_000 + user.length]!, categories[0]!]
    const cells = Object.keys(second.comes(user, start, start, null, [none, added]))
    expect(cells.map((cell) => cell.split(' ')[0]!).toSorted(), user).toEqual(['day', 'hour', 'minute'])
  }
})
