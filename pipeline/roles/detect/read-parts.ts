// What the parts of a KPI's cells came to in one bucket, and before their alerts began, from table `events`: by it is decided whether one
// cell's drop is another's. Only events that were known when the bucket closed count, so whoever asks gets the same.
import { beforeMs, type Part, type Parts, type PartsQuestion } from '../../../operators/detect/explained.ts'
import type { Cell } from '../../../operators/detect/metric.ts'
import { kpiOfEvents } from '../../../operators/kpi/event-sql.ts'
import { other } from '../../../operators/settings.ts'
import type { QueryParams, Store } from '../../ports/store.ts'
import type { Closing } from './closed-buckets.ts'

type PartRow = { cells: number[]; is_now: number; numerator: number | string; denominator: number | string }

/** Of KPIs that cannot be counted from events, and of those about a user's first week, there is no answer. */
export async function readParts(store: Store, closing: Closing, bucketAt: number, questions: readonly PartsQuestion[]): Promise<Parts[]> {
  const answers: Parts[] = []
  for (const { kpi: name, cells: asked, begunAt } of questions) {
    const kpi = kpiOfEvents(name)
    // What no list has is `other`, which is no value of an event.
    const cells = asked.filter(({ value }) => value !== other)
    if (kpi === undefined || kpi.isOfFirstWeek || cells.length < 2) continue
    const { cadence, grain, latenessMs } = closing
    const params: QueryParams = {
      from: bucketAt, to: cadence.endOf(bucketAt), known_at: cadence.endOf(bucketAt) + latenessMs,
      before_from: begunAt - beforeMs[grain], before_to: begunAt,
      ...Object.fromEntries(cells.map(({ value }, place) => [`value_${place}`, value])),
      ...(kpi.behaviors === undefined ? {} : { behaviors: kpi.behaviors }),
    } // prettier-ignore
    const rows = await store.query<PartRow>(partsSql(kpi, cells), params)
    const of = (isNow: number): Part[] =>
      rows
        .filter(({ is_now }) => is_now === isNow)
        .map(({ cells: places, numerator, denominator }) => ({
          in: places.map((place) => place - 1),
          numerator: Number(numerator),
          denominator: Number(denominator),
        }))
    answers.push({ kpi: name, cells, now: of(1), before: of(0) })
  }
  return answers
}

const instant = (name: string) => `fromUnixTimestamp64Milli({${name}:Int64}, 'UTC')`

function partsSql({ numerator, denominator, behaviors }: NonNullable<ReturnType<typeof kpiOfEvents>>, cells: readonly Cell[]): string {
  const places = cells.map(({ dimension }, place) => `if(ifNull(toString(${dimension}), '') = {value_${place}:String}, ${place + 1}, 0)`)
  return `
    SELECT arrayFilter(place -> place > 0, CAST([${places.join(', ')}], 'Array(UInt16)')) AS cells,
      event_at >= ${instant('from')} AS is_now, toFloat64(${numerator}) AS numerator, toFloat64(${denominator ?? '0'}) AS denominator
    FROM events
    WHERE block_at >= ${instant('before_from')} AND clock_at < ${instant('known_at')}
      AND (event_at >= ${instant('before_from')} AND event_at < ${instant('before_to')} OR event_at >= ${instant('from')} AND event_at < ${instant('to')})
      ${behaviors === undefined ? '' : 'AND behavior IN {behaviors:Array(String)}'}
    GROUP BY cells, is_now
    HAVING notEmpty(cells)`
}
