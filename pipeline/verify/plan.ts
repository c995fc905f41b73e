// What a run of `verify` will look at: how far the log's blocks are whole, everything or a sample, cut into stretches that fit memory.
import { kpiDeltasKeptDays } from '../../schemas/tables/kpi-deltas.ts'
import type { Store } from '../ports/store.ts'
import { correctedMs, ms } from './facts.ts'
import { bucketOf, inCut, integer, sampleBuckets, type Cut, type PartitionCut, type Scope, type Users } from './scope.ts'

export type Choice = {
  /** Compare every row, whatever it costs. */
  readonly everything: boolean
  /** Users of a sample; undefined: as many as give `rows`. */
  readonly users: number | undefined
  /** Rows of `user_features` that a sample should hold at least, where there are so many. */
  readonly rows: number
  /** False: the sums of `kpi_deltas` are left out. */
  readonly kpis?: boolean
}

export type Plan = {
  readonly cut: Cut
  readonly sampled: boolean
  readonly totals: Totals
  /** Every user is in one stretch; a sample compares only some of each stretch's users. */
  readonly stretches: readonly { from: string; to: string | undefined }[]
  /** Disjoint: the scopes in which rows are compared. */
  readonly scopes: readonly Scope[]
  /** Offsets [from, to) over all partitions, in pieces that fit memory. */
  readonly offsets: readonly (readonly [from: number, to: number])[]
  /** Rows of blocks that are still being inserted: not looked at. */
  readonly openRows: number
}

type Totals = { users: number; events: number; rows: number; changes: number }

/** Without being asked for more, everything is compared up to so many rows and (row, event of its user) pairs. */
const everythingRows = 500_000
const everythingPairs = 200_000_000
/** Pairs that one user may cost in a sample. */
const pairsPerUser = 20_000_000
const rowsPerUserLeast = 20
const rowsPerUserMost = 400
/** Of each: most events, newest rows, longest way from event to log. Always in a sample. */
const notable = 20
const usersPerNamedScope = 10
/** Events and rows of a stretch. */
const stretchWeight = 300_000
/** Records of a piece, over all partitions. */
const recordsPerPiece = 2_000_000

const blockTables = ['events', 'rejected_events', 'user_features', 'tier_changes', 'kpi_deltas']

/**
 * A block is whole once its clock row, the last one inserted, is there. Where clock rows have expired, or a partition has
 * none, what is there counts as whole: `kpi_deltas` forgets them.
 */
export async function findCut(store: Store): Promise<Cut> {
  const expired = `block_at <= now() - INTERVAL ${kpiDeltasKeptDays} DAY`
  const blocks = blockTables.map(
    (table) => `SELECT DISTINCT partition, first_offset, ${ms('block_at')} AS clock_ms, ${expired} AS is_old FROM ${table}`,
  )
  const clocks = `SELECT partition, first_offset, true AS has_clock FROM kpi_deltas WHERE dimension = 'clock'`
  return store.query<PartitionCut>(`
    SELECT partition, max(first_offset) AS lastBlock, argMax(clock_ms, first_offset) AS clockMs,
      (SELECT max(partition_count) FROM kpi_deltas WHERE dimension = 'clock') AS partitions
    FROM (
      SELECT *, max(is_whole) OVER (PARTITION BY partition) AS any_whole
      FROM (
        SELECT b.*, is_old OR has_clock AS is_whole
        FROM (SELECT DISTINCT * FROM (${blocks.join(' UNION ALL ')})) AS b
        LEFT JOIN (${clocks}) AS c ON b.partition = c.partition AND b.first_offset = c.first_offset))
    WHERE is_whole OR NOT any_whole
    GROUP BY partition
    ORDER BY partition`)
}

/** By user: how many events, rows and changes, when the newest row, and the longest way from event to log. */
function perUser(cut: Cut): string {
  return `
    SELECT user_id, sum(e) AS event_count, sum(r) AS row_count, sum(c) AS change_count, max(newest) AS newest_ms, max(late) AS late_ms
    FROM (
      SELECT user_id, count() AS e, 0 AS r, 0 AS c, toInt64(0) AS newest, max(${ms('clock_at')} - (${correctedMs})) AS late
      FROM events WHERE ${inCut(cut)} GROUP BY user_id
      UNION ALL
      SELECT user_id, 0 AS e, count() AS r, 0 AS c, max(${ms('as_of')}) AS newest, toInt64(0) AS late
      FROM user_features WHERE ${inCut(cut)} GROUP BY user_id
      UNION ALL
      SELECT user_id, 0 AS e, 0 AS r, count() AS c, toInt64(0) AS newest, toInt64(0) AS late
      FROM tier_changes WHERE ${inCut(cut)} GROUP BY user_id)
    GROUP BY user_id`
}

export async function makePlan(store: Store, choice: Choice): Promise<Plan> {
  const cut = await findCut(store)
  const [totals] = await store.query<Record<keyof Totals | 'pairs' | 'hottest', number>>(`
    SELECT count() AS users, sum(event_count) AS events, sum(row_count) AS rows, sum(change_count) AS changes,
      sum(toFloat64(row_count) * event_count) AS pairs, max(event_count) AS hottest
    FROM (${perUser(cut)})`)
  const { users, events, rows, changes, pairs, hottest } = totals!
  const everything =
    choice.everything || (choice.users === undefined && rows <= Math.max(everythingRows, choice.rows) && pairs <= everythingPairs)
  const rowsPerUser = everything
    ? Infinity
    : Math.min(rowsPerUserMost, Math.max(rowsPerUserLeast, Math.floor(pairsPerUser / Math.max(1, hottest))))

  let share = sampleBuckets
  if (!everything) {
    const [capped] = await store.query<{ rows: number }>(
      `SELECT sum(least(row_count, ${integer(rowsPerUser)})) AS rows FROM (${perUser(cut)})`,
    )
    const wanted = choice.users === undefined ? choice.rows / Math.max(1, capped!.rows) : choice.users / Math.max(1, users)
    share = Math.min(sampleBuckets, Math.ceil(wanted * sampleBuckets))
  }

  const stretches = await findStretches(store, cut)
  const scopes = stretches.map((stretch): Scope => ({ users: { kind: 'stretch', ...stretch, share }, cut, rowsPerUser }))
  if (share < sampleBuckets) for (const named of await findNotable(store, cut, share)) scopes.push({ users: named, cut, rowsPerUser })

  return {
    cut,
    sampled: !everything,
    totals: { users, events, rows, changes },
    stretches,
    scopes,
    offsets: await findOffsets(store, cut),
    openRows: await countOpenRows(store, cut),
  }
}

async function findStretches(store: Store, cut: Cut): Promise<Plan['stretches']> {
  const rows = await store.query<{ from: string }>(`
    SELECT min(user_id) AS from
    FROM (SELECT user_id, intDiv(sum(event_count + row_count + change_count) OVER (ORDER BY user_id ROWS UNBOUNDED PRECEDING), ${stretchWeight}) AS stretch FROM (${perUser(cut)}))
    GROUP BY stretch ORDER BY from`)
  return rows.map(({ from }, i) => ({ from: i === 0 ? '' : from, to: rows[i + 1]?.from }))
}

/** Notable users who are not among the first `share` buckets anyway. */
async function findNotable(store: Store, cut: Cut, share: number): Promise<Users[]> {
  const by = (order: string) => `SELECT user_id FROM (${perUser(cut)}) WHERE row_count > 0 ORDER BY ${order} DESC, user_id LIMIT ${notable}`
  const rows = await store.query<{ user_id: string }>(`
    SELECT DISTINCT user_id FROM (
      SELECT * FROM (${by('event_count')}) UNION ALL SELECT * FROM (${by('newest_ms')}) UNION ALL SELECT * FROM (${by('late_ms')}))
    WHERE ${bucketOf} >= ${integer(share)}
    ORDER BY user_id`)
  const groups: string[][] = []
  for (const [i, { user_id }] of rows.entries()) {
    if (i % usersPerNamedScope === 0) groups.push([])
    groups.at(-1)!.push(user_id)
  }
  return groups.map((users): Users => ({ kind: 'named', users }))
}

async function findOffsets(store: Store, cut: Cut): Promise<Plan['offsets']> {
  const [range] = await store.query<{ least: number; greatest: number; events: number }>(
    `SELECT min(offset) AS least, max(offset) AS greatest, count() AS events FROM events WHERE ${inCut(cut)}`,
  )
  const { least, greatest, events } = range!
  if (events === 0) return []
  const length = Math.ceil(recordsPerPiece / Math.max(1, cut.length))
  const pieces: [number, number][] = []
  for (let from = least; from <= greatest; from += length) pieces.push([from, Math.min(greatest + 1, from + length)])
  return pieces
}

async function countOpenRows(store: Store, cut: Cut): Promise<number> {
  const counts = ['events', 'user_features', 'tier_changes'].map(
    (table) => `SELECT count() AS rows FROM ${table} WHERE NOT (${inCut(cut)})`,
  )
  const [open] = await store.query<{ rows: number }>(`SELECT sum(rows) AS rows FROM (${counts.join(' UNION ALL ')})`)
  return open!.rows
}
