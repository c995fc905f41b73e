// Naive twin of the figures of a day that look at a user's other days (operators/kpi/daily.ts): user by user, day by day.
import type { EventRow } from '../../schemas/tables/events.ts'
import type { DailyFigure } from '../kpi/daily.ts'
import type { Zone } from '../time/zone.ts'

export type DailyRow = { readonly day: number } & Readonly<Partial<Record<DailyFigure, number | null>>>

/** Rows by day of every query, by its name; those of days on which a query has nothing to say are left out. */
export function naiveDaily(events: readonly EventRow[], zone: Zone): Record<'cohorts' | 'months' | 'searches', DailyRow[]> {
  if (events.length === 0) return { cohorts: [], months: [], searches: [] }
  const users = [...Map.groupBy(events, (event) => event.user_id).values()].map((own) => lifeOf(own, zone))
  const until = zone.dayOf(Math.max(...events.map((event) => event.clock_at)))
  const first = Math.min(...users.flatMap(({ activeDays }) => activeDays))
  const days = Array.from({ length: until - first + 1 }, (_, i) => first + i)
  const known = (lastDay: number, value: number) => (lastDay < until ? value : null)

  const cohorts = days.flatMap((day): DailyRow[] => {
    const cohort = users.filter((user) => user.registeredDay === day)
    if (cohort.length === 0) return []
    const retained = (after: number) => known(day + after, cohort.filter((user) => user.activeDays.includes(day + after)).length)
    const bought = cohort.filter((user) => user.purchases.some((one) => one.day >= day && one.day < day + 30))
    return [
      {
        day,
        registrants: cohort.length,
        ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 14, 21, 30].map((after) => [`retained_d${after}`, retained(after)])),
        converted_30d: known(day + 29, bought.length),
        spend_minor: cohort.flatMap((user) => user.purchases).reduce((sum, { amount }) => sum + amount, 0),
      },
    ]
  })

  const months = days.flatMap((day): DailyRow[] => {
    if (day >= until) return []
    const inMonth = (one: number) => one > day - 30 && one <= day
    const inMonthBefore = (one: number) => inMonth(one + 30)
    const count = (is: (user: Life) => boolean) => users.filter(is).length
    const row = {
      day,
      daily_active_users: count((user) => user.activeDays.includes(day)),
      monthly_active_users: count((user) => user.activeDays.some(inMonth)),
      monthly_buyers: count((user) => user.purchases.some((one) => inMonth(one.day))),
      returning_buyers: count((user) => user.purchases.slice(1).some((one) => inMonth(one.day))),
      previous_buyers: count((user) => user.purchases.some((one) => inMonthBefore(one.day))),
      repeat_buyers: count(
        (user) => user.purchases.some((one) => inMonthBefore(one.day)) && user.purchases.some((one) => inMonth(one.day)),
      ),
    }
    return Object.entries(row).some(([name, value]) => name !== 'day' && value > 0) ? [row] : []
  })

  const searches = days.flatMap((day): DailyRow[] => {
    const searchers = users.filter((user) => user.searches.some((at) => zone.dayOf(at) === day))
    if (searchers.length === 0) return []
    const buys = ({ searches: own, follows, purchases }: Life) =>
      own.some((s) => zone.dayOf(s) === day && follows.some((f) => f >= s && purchases.some(({ at }) => at >= f && at <= s + 86_400_000)))
    return [{ day, searchers: searchers.length, search_buyers: known(day + 1, searchers.filter(buys).length) }]
  })
  return { cohorts, months, searches }
}

type Life = ReturnType<typeof lifeOf>

function lifeOf(own: readonly EventRow[], zone: Zone) {
  const at = (behavior: EventRow['behavior']) => own.filter((event) => event.behavior === behavior).map((event) => event.event_at)
  const registrations = at('register')
  return {
    activeDays: [...new Set(own.map((event) => zone.dayOf(event.event_at)))],
    registeredDay: registrations.length === 0 ? undefined : zone.dayOf(Math.min(...registrations)),
    searches: at('search'),
    follows: at('follow'),
    /** By their time. */
    purchases: own
      .filter((event) => event.behavior === 'purchase')
      .map((event) => ({ at: event.event_at, day: zone.dayOf(event.event_at), amount: event.amount_minor! }))
      .toSorted((a, b) => a.at - b.at),
  }
}
