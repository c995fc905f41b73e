// Rolls closed buckets up into kpi_cells, and adds there what comes late. Every row follows from the log alone, whoever writes it and however
// often; how far a grain is rolled up stands in the same insert (docs/decisions/kpi-cells.md).
import { columnType, quoteText } from '../../../schemas/ddl.ts'
import { kpiCellsTable } from '../../../schemas/tables/kpi-cells.ts'
import { kpiMeasures, type Grain } from '../../../schemas/tables/kpi-deltas.ts'
import type { Store } from '../../ports/store.ts'
import { blocksSince } from './clocks.ts'
import { closedUntil, closesSql, earliestBucketAt, type Closing } from './closed-buckets.ts'
import { oneBlockSettings } from './one-block.ts'

/** Buckets before `untilMs` are rolled up, of blocks whose partition had, before them, a clock earlier than `knownMs`. */
export type RolledUp = { readonly untilMs: number; readonly knownMs: number }

export type RollUp = {
  /**
   * One insert's worth, up to log time `clockMs`, which every partition has reached. Returns whether there is more. `there`: how far the grain
   * is rolled up, where that has been read already.
   */
  advance(clockMs: number, there?: RolledUps): Promise<boolean>
  /** Whether `advance` has anything to look at. */
  isDue(clockMs: number): boolean
}

/** By grain; one that is not among them has never been rolled up. */
export type RolledUps = ReadonlyMap<Grain, RolledUp>

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** Log time between two inserts: each costs the engine as much as ten small queries. What is not rolled up yet the views take from deltas. */
const everyMs: Record<Grain, number> = { minute: 300_000, hour: 600_000, day: 600_000 }
/** Log time that one insert takes on, where there is much to make up for: some hundred thousand rows. */
const chunkMs: Record<Grain, number> = { minute: dayMs, hour: 40 * dayMs, day: 800 * dayMs }

export async function readRolledUp(store: Store, grain: Grain): Promise<RolledUp | undefined> {
  const [row] = await store.query<RolledUp>(
    `SELECT toUnixTimestamp64Milli(bucket_at) AS untilMs, toUnixTimestamp64Milli(known_at) AS knownMs FROM kpi_cells
     WHERE dimension = 'clock' AND value = '' AND grain = '${grain}' ORDER BY bucket_at DESC, known_at DESC LIMIT 1`,
  )
  return row
}

/** Of all grains at once. */
export async function readRolledUps(store: Store): Promise<RolledUps> {
  const rows = await store.query<RolledUp & { grain: Grain }>(
    `SELECT toString(grain) AS grain, toUnixTimestamp64Milli(bucket_at) AS untilMs, toUnixTimestamp64Milli(known_at) AS knownMs FROM kpi_cells
     WHERE dimension = 'clock' AND value = '' ORDER BY bucket_at DESC, known_at DESC LIMIT 1 BY kpi_cells.grain`,
  )
  return new Map(rows.map(({ grain, ...rolled }) => [grain, rolled]))
}

export function rollUp(store: Store, closing: Closing): RollUp {
  const { grain, cadence, latenessMs } = closing
  let knownMs = -Infinity
  const limitOf = (clockMs: number) => Math.floor(clockMs / everyMs[grain]) * everyMs[grain]

  async function begin(): Promise<RolledUp | undefined> {
    const earliestAt = await earliestBucketAt(store, grain, 0, ['kpi_deltas'])
    return earliestAt === undefined ? undefined : { untilMs: earliestAt, knownMs: earliestAt + latenessMs }
  }

  return {
    isDue: (clockMs) => limitOf(clockMs) > knownMs,
    async advance(clockMs, there) {
      const limitMs = limitOf(clockMs)
      if (limitMs <= knownMs) return false
      // Another detector may have come further.
      const before = (there === undefined ? await readRolledUp(store, grain) : there.get(grain)) ?? (await begin())
      if (before === undefined || limitMs <= before.knownMs) {
        // Nor is there anything before log time has gone on.
        knownMs = limitMs
        return false
      }
      const toMs = Math.min(limitMs, before.knownMs + chunkMs[grain])
      const after = { untilMs: Math.max(before.untilMs, closedUntil({ grain, cadence, latenessMs }, toMs)), knownMs: toMs }
      await store.command(insertSql(closing, before, after))
      knownMs = toMs
      return toMs < limitMs
    },
  }
}

const at = (ms: number | string) => `fromUnixTimestamp64Milli(toInt64(${ms}), 'UTC')`
const { fields } = kpiCellsTable.record
const columns = Object.keys(fields)
const each = (of: (measure: string) => string) => kpiMeasures.map(of).join(', ')

function insertSql(closing: Closing, before: RolledUp, after: RolledUp): string {
  const { grain } = closing
  const token = `kpi_cells/${grain}/${before.knownMs}-${after.knownMs}`
  const closes = after.untilMs > before.untilMs
  const rows = [...(closes ? [closed(closing, before, after)] : []), late(grain), reached(after)]
  return `INSERT INTO ${kpiCellsTable.name} (${columns.join(', ')})
SETTINGS ${oneBlockSettings}, insert_deduplication_token = ${quoteText(token)}
WITH blocks AS (${blocksSince(`toInt64(${closes ? before.untilMs : before.knownMs})`)}),
late AS (
  SELECT deltas.dimension AS dimension, deltas.value AS value, deltas.bucket_at AS bucket_at, blocks.before_ms AS before_ms,
    ${each((measure) => `deltas.${measure} AS ${measure}`)}
  FROM kpi_deltas AS deltas INNER JOIN blocks ON deltas.partition = blocks.partition AND deltas.first_offset = blocks.first_offset
  WHERE deltas.dimension != 'clock' AND deltas.grain = '${grain}' AND deltas.bucket_at < ${at(before.untilMs)}
    AND deltas.block_at >= ${at(before.knownMs)} AND blocks.before_ms >= ${before.knownMs} AND blocks.before_ms < ${after.knownMs}
)
SELECT '${grain}' AS grain, bucket_at, dimension, value, ${at('known_ms')} AS known_at, ${each((measure) => measure)}, ${each((measure) => `${measure}_at_close`)}
FROM (${rows.join('\nUNION ALL')})
ORDER BY dimension, value, bucket_at`
}

/** Buckets that have closed since, as known at their close, and with what came late to them so far. */
const closed = (closing: Closing, before: RolledUp, after: RolledUp) => `
  SELECT cell.dimension AS dimension, cell.value AS value, cell.bucket_at AS bucket_at, max(if(before_ms < closes_ms, closes_ms, before_ms + 1)) AS known_ms,
    ${each((measure) => `sum(cell.${measure}) AS ${measure}`)}, ${each((measure) => `sumIf(cell.${measure}, before_ms < closes_ms) AS ${measure}_at_close`)}
  FROM (
    SELECT deltas.dimension AS dimension, deltas.value AS value, deltas.bucket_at AS bucket_at, blocks.before_ms AS before_ms,
      ${closesSql(closing, 'toUnixTimestamp64Milli(deltas.bucket_at)', before.untilMs, after.untilMs)} AS closes_ms,
      ${each((measure) => `deltas.${measure} AS ${measure}`)}
    FROM kpi_deltas AS deltas INNER JOIN blocks ON deltas.partition = blocks.partition AND deltas.first_offset = blocks.first_offset
    WHERE deltas.dimension != 'clock' AND deltas.grain = '${closing.grain}'
      AND deltas.bucket_at >= ${at(before.untilMs)} AND deltas.bucket_at < ${at(after.untilMs)}
      AND deltas.block_at >= ${at(before.untilMs)} AND blocks.before_ms < ${after.knownMs}
  ) AS cell
  GROUP BY cell.dimension, cell.value, cell.bucket_at`

/** Cells of buckets rolled up before, with what came to them since; what another detector has added already is not added again. */
const late = (grain: Grain) => `
  SELECT late.dimension AS dimension, late.value AS value, late.bucket_at AS bucket_at, max(late.before_ms) + 1 AS known_ms,
    ${each((measure) => `any(cells.${measure}) + sum(late.${measure}) AS ${measure}`)},
    ${each((measure) => `any(cells.${measure}_at_close) AS ${measure}_at_close`)}
  FROM late
  LEFT JOIN (
    SELECT * FROM kpi_cells FINAL WHERE grain = '${grain}' AND (dimension, value, bucket_at) IN (SELECT dimension, value, bucket_at FROM late)
  ) AS cells ON late.dimension = cells.dimension AND late.value = cells.value AND late.bucket_at = cells.bucket_at
  WHERE late.before_ms >= toUnixTimestamp64Milli(cells.known_at)
  GROUP BY late.dimension, late.value, late.bucket_at`

/** The row that says how far this goes. */
const reached = ({ untilMs, knownMs }: RolledUp) => `
  SELECT CAST('clock', ${quoteText(columnType(fields.dimension))}) AS dimension, CAST('', 'LowCardinality(String)') AS value, ${at(untilMs)} AS bucket_at, toInt64(${knownMs}) AS known_ms,
    ${each((measure) => `toUInt64(0) AS ${measure}`)}, ${each((measure) => `toUInt64(0) AS ${measure}_at_close`)}`
