// Once a day of the zone is closed, fills kpi_daily with what it came to, and what is now known of the days before: the KPIs that look at a user's other
// days, which are too dear for a board to compute.
import { dailyRowsSql } from '../../../operators/kpi/daily-rows.ts'
import { quoteText } from '../../../schemas/ddl.ts'
import { kpiDailyTable } from '../../../schemas/tables/kpi-daily.ts'
import type { Logger } from '../../log/logger.ts'
import { StoreAway, type Store } from '../../ports/store.ts'
import { closedUntil, earliestBucketAt, type Closing } from './closed-buckets.ts'
import { oneBlockSettings } from './one-block.ts'

/** What is further behind begins there: the days before are known as of then. */
const furthestBackDays = 31

export type DailyFigures = {
  /** One day's worth, up to log time `clockMs`, which every partition has reached. Returns whether there is more. Throws StoreAway. */
  advance(clockMs: number): Promise<boolean>
  /** End of the last day that is known to be there, with all before it; -Infinity: none yet. */
  reached(): number
}

/** End of the last day that is in kpi_daily, and all before it; undefined where there is none. */
export async function readDailyReached(store: Store): Promise<number | undefined> {
  const [row] = await store.query<{ days: number; until_ms: number }>(
    `SELECT count() AS days, toUnixTimestamp64Milli(max(bucket_at)) AS until_ms FROM ${kpiDailyTable.name} WHERE name = ''`,
  )
  return row === undefined || row.days === 0 ? undefined : row.until_ms
}

export function dailyFigures(store: Store, closing: Closing, zone: string): DailyFigures {
  const { cadence, latenessMs } = closing
  let reachedMs = -Infinity
  let lookedMs = -Infinity

  async function begin(closedMs: number): Promise<number | undefined> {
    const earliestAt = await earliestBucketAt(store, 'day', 0)
    return earliestAt === undefined ? undefined : Math.max(cadence.startOf(earliestAt), cadence.back(closedMs, furthestBackDays))
  }

  return {
    async advance(clockMs) {
      const closedMs = closedUntil(closing, clockMs)
      if (closedMs <= Math.max(reachedMs, lookedMs)) return false
      // Another detector may have come further.
      const before = (await readDailyReached(store)) ?? (await begin(closedMs))
      if (before === undefined || closedMs <= before) {
        reachedMs = Math.max(reachedMs, before ?? -Infinity)
        // There is nothing more before the next day has closed.
        lookedMs = closedMs
        return false
      }
      const untilMs = cadence.endOf(before)
      await store.command(insertSql(untilMs, untilMs + latenessMs), { known: untilMs + latenessMs, until: untilMs, zone })
      reachedMs = untilMs
      return untilMs < closedMs
    },
    reached: () => reachedMs,
  }
}

const columns = Object.keys(kpiDailyTable.record.fields)

/** Rows, and the one that says how far they go, in one part. */
function insertSql(untilMs: number, knownMs: number): string {
  const reached = `SELECT '' AS name, fromUnixTimestamp64Milli(toInt64(${untilMs}), 'UTC') AS bucket_at, fromUnixTimestamp64Milli(toInt64(${knownMs}), 'UTC') AS known_at,
  toFloat64(0) AS numerator, CAST(NULL, 'Nullable(Float64)') AS denominator, known_at AS first_known_at, toFloat64(0) AS numerator_first, CAST(NULL, 'Nullable(Float64)') AS denominator_first`
  return `INSERT INTO ${kpiDailyTable.name} (${columns.join(', ')})
SETTINGS ${oneBlockSettings}, insert_deduplication_token = ${quoteText(`kpi_daily/${knownMs}`)}
SELECT ${columns.join(', ')} FROM (${dailyRowsSql}
UNION ALL
${reached})
ORDER BY name, bucket_at`
}

/**
 * The same, for a role whose alerts must not wait for it: `look` begins a day's worth where one is due and none is under way. What fails is tried
 * again at a later look.
 */
export function dailyInBackground(figures: DailyFigures, log: Logger) {
  let underWay: Promise<void> | undefined
  return {
    look(clockMs: number): void {
      underWay ??= figures
        .advance(clockMs)
        .then(() => {})
        .catch((error: unknown) => {
          if (!(error instanceof StoreAway))
            log.error({ err: error }, 'the KPIs of a closed day could not be computed; they are tried again')
        })
        .finally(() => (underWay = undefined))
    },
    settled: async () => underWay,
    reached: figures.reached,
  }
}
