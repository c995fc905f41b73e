// The figures that lifetime values are fitted to, from table `events`; operators/ltv/histories.ts says the same of histories in memory.
import { inOrder, type Birth, type CustomerFigures } from '../../operators/ltv/histories.ts'
import type { Store } from '../ports/store.ts'

/**
 * Least clock of all partitions (ms): whatever the log holds from before it is in the tables. Undefined while there is nothing, or a
 * partition has not been heard of.
 */
export async function leastClock(store: Store): Promise<number | undefined> {
  const [row] = await store.query<{ heard: number; partitions: number; clock_ms: number }>(
    `SELECT count() AS heard, max(of) AS partitions, toUnixTimestamp64Milli(min(clock_at)) AS clock_ms
     FROM (
       SELECT partition, max(at) AS clock_at, max(n) AS of FROM (
         SELECT partition, bucket_at AS at, partition_count AS n FROM kpi_deltas WHERE dimension = 'clock' AND value = '' AND grain = 'minute'
         UNION ALL
         SELECT partition, clock_at AS at, 0 AS n FROM events
       ) GROUP BY partition
     )`,
  )
  return row === undefined || row.heard === 0 || row.heard < row.partitions ? undefined : row.clock_ms
}

/** By events with clock_at before `asOfMs`, the end of day `lastDay` of the zone; days are counted from 1970-01-01. */
export async function readCustomers(
  store: Store,
  { birth, asOfMs, lastDay, zone }: { birth: Birth; asOfMs: number; lastDay: number; zone: string },
): Promise<CustomerFigures> {
  const registration = birth === 'registration'
  const customers = `
    WITH people AS (
      SELECT user_id,
        countIf(behavior = 'register') > 0 AS registered,
        minIf(toInt32(toDate32(event_at, {zone:String})), behavior = 'register') AS registered_day,
        sumMapIf([toInt32(toDate32(event_at, {zone:String}))], [assumeNotNull(amount_minor)], behavior = 'purchase') AS by_day,
        by_day.1 AS days, by_day.2 AS amounts
      FROM events
      WHERE behavior IN ('register', 'purchase') AND clock_at < fromUnixTimestamp64Milli({asOf:Int64}, 'UTC')
      GROUP BY user_id
    ),
    customers AS (
      SELECT ${registration ? 'registered_day' : 'arrayMin(days)'} AS cohort,
        arrayFilter((day, amount) -> ${registration ? '1' : 'day > cohort'}, days, amounts) AS counted,
        length(arrayDistinct(arrayMap(day -> greatest(day, cohort), counted))) AS frequency,
        if(frequency = 0, 0, greatest(arrayMax(counted), cohort) - cohort) AS recency,
        length(days) > 0 AS bought,
        arraySum(amounts) AS realised,
        arraySum(arrayMap((day, amount) -> if(${registration ? '1' : 'day > cohort'}, amount, 0), days, amounts)) AS spent
      FROM people
      WHERE ${registration ? 'registered' : 'notEmpty(days)'}
    )`
  const params = { zone, asOf: asOfMs }
  const groups = await store.query<Record<keyof CustomerFigures['groups'][number], number | string>>(
    `${customers}
     SELECT cohort, frequency, recency, count() AS customers, countIf(bought) AS buyers, sum(customers.spent) AS spent, sum(customers.realised) AS realised
     FROM customers WHERE cohort <= {lastDay:Int32} GROUP BY cohort, frequency, recency`,
    { ...params, lastDay },
  )
  const spenders = await store.query<Record<keyof CustomerFigures['spenders'][number], number | string>>(
    `${customers}
     SELECT frequency, spent, count() AS customers FROM customers WHERE frequency > 0 AND cohort <= {lastDay:Int32} GROUP BY frequency, spent`,
    { ...params, lastDay },
  )
  const [left] = await store.query<{ unregistered: number }>(
    `${customers} SELECT countIf(NOT registered AND notEmpty(days)) AS unregistered FROM people`,
    params,
  )
  return inOrder({
    groups: groups.map(numbers),
    spenders: spenders.map(numbers),
    unregistered: registration ? (left?.unregistered ?? 0) : 0,
  })
}

const numbers = <K extends string>(row: Record<K, number | string>): Record<K, number> =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)])) as Record<K, number>
