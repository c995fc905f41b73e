// Figures of a day of the zone that no cell of kpi_deltas can give, since they look at a user's other days: cohorts and months, in SQL
// over events alone. {zone:String} is the zone; a day is over once a later day's clock is among them.

/** Days after registration of which it is counted who came back. */
export const retentionDays = [1, 2, 3, 4, 5, 6, 7, 14, 21, 30] as const
type Retained = `retained_d${(typeof retentionDays)[number]}`
const retainedFigures = retentionDays.map((day): Retained => `retained_d${day}`)

export const dailyFigures = [
  'registrants', ...retainedFigures, 'converted_30d', 'spend_minor',
  'daily_active_users', 'monthly_active_users', 'monthly_buyers', 'returning_buyers', 'previous_buyers', 'repeat_buyers',
  'searchers', 'search_buyers',
] as const // prettier-ignore
export type DailyFigure = (typeof dailyFigures)[number]

export type DailyQuery = {
  readonly name: 'cohorts' | 'months' | 'searches'
  readonly figures: readonly DailyFigure[]
  /** Rows of (day, figures …), by day; a figure that is not known yet is NULL. */
  readonly sql: string
}

const dayOf = (instant: string) => `toInt32(toDate32(${instant}, {zone:String}))`
/** What the queries look at. */
export type DailySource = {
  /** Rows of table `events`. */
  readonly events: string
  /** The day that is not over yet. */
  readonly until: string
}
const everything: DailySource = { events: 'events', until: `(SELECT ${dayOf('max(clock_at)')} FROM events)` }

/** As if nothing had come but the events with a clock_at before {known:Int64}; the days that are over end at {until:Int64}. */
export const asOfKnown: DailySource = {
  events: `(SELECT user_id, event_at, clock_at, behavior, amount_minor FROM events WHERE clock_at < fromUnixTimestamp64Milli({known:Int64}, 'UTC'))`,
  until: dayOf(`fromUnixTimestamp64Milli({until:Int64}, 'UTC')`),
}
/** Days of the month that a figure of a day looks at: the day itself and those before it. */
const monthDays = 30

/** Days on which one of `days` is among the last `monthDays`. */
const within = (days: string) => `arrayDistinct(arrayFlatten(arrayMap(d -> range(d, d + ${monthDays}), ${days})))`

const retained = (after: number) => `if(day + ${after} < until_day, countIf(has(active_days, day + ${after})), NULL) AS retained_d${after}`

const cohorts = ({ events, until }: DailySource): DailyQuery => ({
  name: 'cohorts',
  figures: ['registrants', ...retainedFigures, 'converted_30d', 'spend_minor'],
  sql: `
    SELECT day, count() AS registrants, ${until} AS until_day,
      ${retentionDays.map(retained).join(',\n      ')},
      if(day + ${monthDays - 1} < until_day, countIf(arrayExists(d -> d >= day AND d < day + ${monthDays}, buying_days)), NULL) AS converted_30d,
      sum(spent) AS spend_minor
    FROM (
      SELECT user_id, ${dayOf("minIf(event_at, behavior = 'register')")} AS day,
        groupUniqArray(${dayOf('event_at')}) AS active_days,
        groupUniqArrayIf(${dayOf('event_at')}, behavior = 'purchase') AS buying_days,
        sumIf(ifNull(amount_minor, 0), behavior = 'purchase') AS spent
      FROM ${events} GROUP BY user_id HAVING countIf(behavior = 'register') > 0)
    GROUP BY day ORDER BY day`,
})

// Arrays of days on which a user is something; each day of each array is one user more.
const months = ({ events, until }: DailySource): DailyQuery => ({
  name: 'months',
  figures: ['daily_active_users', 'monthly_active_users', 'monthly_buyers', 'returning_buyers', 'previous_buyers', 'repeat_buyers'],
  sql: `
    SELECT tupleElement(one, 1) AS day,
      countIf(tupleElement(one, 2) = 0) AS daily_active_users,
      countIf(tupleElement(one, 2) = 1) AS monthly_active_users,
      countIf(tupleElement(one, 2) = 2) AS monthly_buyers,
      countIf(tupleElement(one, 2) = 3) AS returning_buyers,
      countIf(tupleElement(one, 2) = 4) AS previous_buyers,
      countIf(tupleElement(one, 2) = 5) AS repeat_buyers
    FROM (
      SELECT arrayJoin(arrayConcat(
          arrayMap(d -> (d, 0), active_days), arrayMap(d -> (d, 1), active_on), arrayMap(d -> (d, 2), bought_on), arrayMap(d -> (d, 3), ${within('later_days')}),
          arrayMap(d -> (d, 4), before_on), arrayMap(d -> (d, 5), arrayIntersect(bought_on, before_on)))) AS one
      FROM (
        SELECT active_days, ${within('active_days')} AS active_on, ${within('purchase_days')} AS bought_on,
          arrayMap(d -> d + ${monthDays}, bought_on) AS before_on,
          arraySlice(arraySort(purchase_days), 2) AS later_days
        FROM (
          SELECT user_id, groupUniqArray(${dayOf('event_at')}) AS active_days,
            groupArrayIf(${dayOf('event_at')}, behavior = 'purchase') AS purchase_days
          FROM ${events} GROUP BY user_id)))
    WHERE day < ${until}
    GROUP BY day ORDER BY day`,
})

const dayMs = 86_400_000
const times = (behavior: string) => `groupArrayIf(toUnixTimestamp64Milli(event_at), behavior = '${behavior}')`
const dayOfMs = (at: string) => dayOf(`fromUnixTimestamp64Milli(${at}, 'UTC')`)

const searches = ({ events, until }: DailySource): DailyQuery => ({
  name: 'searches',
  figures: ['searchers', 'search_buyers'],
  sql: `
    SELECT day, count() AS searchers, ${until} AS until_day,
      if(day + 1 < until_day, countIf(arrayExists(
        s -> ${dayOfMs('s')} = day AND arrayExists(p -> p >= s AND p <= s + ${dayMs} AND arrayExists(f -> f >= s AND f <= p, follows), purchases),
        searches)), NULL) AS search_buyers
    FROM (
      SELECT searches, follows, purchases, arrayJoin(arrayDistinct(arrayMap(s -> ${dayOfMs('s')}, searches))) AS day
      FROM (
        SELECT ${times('search')} AS searches, ${times('follow')} AS follows, ${times('purchase')} AS purchases
        FROM ${events} GROUP BY user_id HAVING notEmpty(searches)))
    GROUP BY day ORDER BY day`,
})

export const dailyQueriesOf = (source: DailySource) => [cohorts(source), months(source), searches(source)] as const
/** Over all that there is. */
export const dailyQueries = dailyQueriesOf(everything)
