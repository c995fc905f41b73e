// Queries of the pipeline itself, as far as its tables tell: clocks, lateness, blocks, rejects, how far closed buckets are rolled up.
import { rejectReasons } from '../../schemas/rejects.ts'
import type { Dialect } from '../dialect.ts'
import { before, number, prose, text, time, view, type PanelQuery } from './query.ts'

/** Behind: of the range's end, which is now where the board follows it. */
export const partitionClocks = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT toString(partition) AS partition, max(block_at) AS clock_at, dateDiff('second', clock_at, ${dialect.to}) AS behind_s, max(next_offset) AS next_offset,
  count() AS blocks, max(partition_count) AS partitions
FROM ${view('block_clocks')} WHERE block_at <= ${dialect.to} AND block_at > ${before(dialect.to, 7 * 86_400)}
GROUP BY block_clocks.partition ORDER BY block_clocks.partition`,
  format: 'table',
  columns: [text('partition'), time('clock_at'), number('behind_s', 's'), number('next_offset'), number('blocks'), number('partitions')],
})

/** Some hundred points, whatever the range. */
const stepOf = (dialect: Dialect) => `greatest(60, intDiv(dateDiff('second', ${dialect.from}, ${dialect.to}), 300))`
const stepped = (column: string, dialect: Dialect) =>
  `toDateTime(intDiv(toUnixTimestamp(${column}), ${stepOf(dialect)}) * ${stepOf(dialect)}, 'UTC')`

/** By how much log time the slowest partition was behind the fastest. */
export const clockLag = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT time, dateDiff('second', min(clock_at), max(clock_at)) AS apart_s
FROM (
  SELECT ${stepped('block_at', dialect)} AS time, partition, max(block_at) AS clock_at FROM ${view('block_clocks')} WHERE ${dialect.inRange('block_at')} GROUP BY time, partition
)
GROUP BY time ORDER BY time`,
  format: 'timeseries',
  columns: [time(), number('apart_s', 's')],
})

const lateClasses = [
  ['up_to_2_min', 120],
  ['up_to_1_h', 3_600],
  ['up_to_1_day', 86_400],
  ['later', Infinity],
] as const

/** How long after its minute an event was counted, to a block's length. */
export const lateness = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT time, ${lateClasses
    .map(([name, most], i) => {
      const least = i === 0 ? -Infinity : lateClasses[i - 1]![1]
      const limits = [...(least === -Infinity ? [] : [`late_s > ${least}`]), ...(most === Infinity ? [] : [`late_s <= ${most}`])]
      return `sumIf(events, ${limits.join(' AND ')}) AS ${name}`
    })
    .join(', ')}
FROM (
  SELECT ${stepped('block_at', dialect)} AS time, events, greatest(0, dateDiff('second', bucket_at, block_at) - 60) AS late_s FROM ${view('block_minutes')}
  WHERE ${dialect.inRange('block_at')}
)
GROUP BY time ORDER BY time`,
  format: 'timeseries',
  columns: [time(), ...lateClasses.map(([name]) => number(name))],
})

export const blockSizes = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT ${stepped('block_at', dialect)} AS time, count() AS blocks, avg(next_offset - first_offset) AS mean_records, max(next_offset - first_offset) AS most_records
FROM ${view('block_clocks')} WHERE ${dialect.inRange('block_at')}
GROUP BY time ORDER BY time`,
  format: 'timeseries',
  columns: [time(), number('blocks'), number('mean_records'), number('most_records')],
})

const everyReason = `reason IN (${rejectReasons.map((reason) => `'${reason}'`).join(', ')})`

export const rejectsByReason = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT ${stepped('block_at', dialect)} AS time, reason, count() AS rejects
FROM ${view('rejects')} WHERE ${everyReason} AND ${dialect.inRange('block_at')}
GROUP BY time, reason ORDER BY time, reason`,
  format: 'timeseries',
  columns: [time(), text('reason'), number('rejects')],
})

export const rejectsLatest = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT clock_at, reason, detail, user_id, toString(partition) AS partition, offset, ordinal, value_bytes
FROM ${view('rejects')} WHERE ${everyReason} AND ${dialect.inRange('block_at')}
ORDER BY clock_at DESC LIMIT 50`,
  format: 'table',
  columns: [
    time('clock_at'), text('reason'), prose('detail'), text('user_id'), text('partition'), number('offset'), number('ordinal'), number('value_bytes', 'bytes'),
  ], // prettier-ignore
})

export const rollUpReach = (dialect: Dialect): PanelQuery => ({
  sql: `SELECT grain, reached_at, known_at, dateDiff('second', reached_at, ${dialect.to}) AS behind_s FROM ${view('roll_up_reach')} ORDER BY grain`,
  format: 'table',
  columns: [text('grain'), time('reached_at'), time('known_at'), number('behind_s', 's')],
})
