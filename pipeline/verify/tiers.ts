// Every user's way through the tiers, recomputed from their events: after each record the rung whose rule holds, at each
// monthly evaluation afresh.
import { rungFigures } from '../../operators/tiers/ladder.ts'
import { tiers } from '../../schemas/tiers.ts'
import { events, zoneDay } from './facts.ts'
import { rfmScores } from './features.ts'
import { homeClockAtCut, type Scope } from './scope.ts'

/** A rung's name. */
export const tierName = (rung: string) => `[${tiers.map((tier) => `'${tier}'`).join(', ')}][${rung} + 1]`

/** Instants (ms) of 00:00 on the 1st, in the zone, that are later than `after` and not later than `until`. */
const monthStarts = (after: string, until: string) => {
  const local = (at: string) => `fromUnixTimestamp64Milli(${at}, {zone:String})`
  const ahead = `range(1, toUInt32(greatest(0, dateDiff('month', ${local(after)}, ${local(until)}, {zone:String}))) + 1)`
  const start = `toUnixTimestamp64Milli(toDateTime64(addMonths(toDate32(toStartOfMonth(toDate32(${local(after)}))), m), 3, {zone:String}))`
  return `arrayFilter(at -> at > ${after} AND at <= ${until}, arrayMap(m -> ${start}, ${ahead}))`
}

/**
 * Where a tier is decided: `at_ms` (facts are those before it), `monthly`, and `through`, the user's last record (its `seq`) that
 * counts. A record's own instant is 1 ms after its clock; the order at one instant is (at_ms, monthly, through).
 */
function decisions(scope: Scope): string {
  const records = `SELECT user_id, seq, any(partition) AS partition, any(clock_ms) AS clock_ms FROM (${events(scope)}) GROUP BY user_id, seq`
  const evaluations = `
    SELECT user_id, arrayJoin(${monthStarts('first_ms', 'until_ms')}) AS at_ms
    FROM (SELECT user_id, min(clock_ms) AS first_ms, any(${homeClockAtCut(scope.cut)}) AS until_ms FROM (${records}) GROUP BY user_id)`
  return `
    SELECT user_id, clock_ms + 1 AS at_ms, 0 AS monthly, seq AS through FROM (${records})
    UNION ALL
    SELECT m.user_id AS user_id, m.at_ms AS at_ms, 1 AS monthly, maxIf(r.seq, r.clock_ms < m.at_ms) AS through
    FROM (${evaluations}) AS m
    INNER JOIN (${records}) AS r ON m.user_id = r.user_id
    GROUP BY user_id, at_ms`
}

/** What a rule may look at, once for each day it was so: activity, registration, purchases, each since a record. */
function marks(scope: Scope): string {
  const source = events(scope)
  return `
    SELECT user_id, 'active' AS mark, day, min(seq) AS since, 0 AS bought, 0 AS spent FROM (${source}) GROUP BY user_id, day
    UNION ALL
    SELECT user_id, 'registered' AS mark, 0 AS day, min(seq) AS since, 0 AS bought, 0 AS spent
    FROM (${source}) WHERE behavior = 'register' GROUP BY user_id
    UNION ALL
    SELECT user_id, 'bought' AS mark, day, seq AS since, count() AS bought, sum(e.spent) AS spent
    FROM (${source}) AS e WHERE behavior = 'purchase' GROUP BY user_id, day, seq`
}

/** The facts of operators/tiers/ladder.ts at each decision, the rung that holds by them, and RFM. */
function rungs(scope: Scope): string {
  const { active, paying, loyal } = rungFigures
  const rfm = rfmScores('days_since_purchase', 'purchases_90', 'spend_90')
  return `
    SELECT *,
      multiIf(
        NOT registered, 0,
        purchase_days_loyal >= ${loyal.purchaseDays} AND spend_loyal >= ${loyal.spendMinor} AND active_days_loyal >= ${loyal.activeDays}, 4,
        purchases_paying >= ${paying.purchases}, 3,
        active_days >= ${active.days}, 2,
        1) AS rung,
      ${Object.entries(rfm)
        .map(([name, expression]) => `${expression} AS ${name}`)
        .join(', ')}
    FROM (
      SELECT user_id, at_ms, monthly, through,
        countIf(mark = 'registered') > 0 AS registered,
        countIf(mark = 'active' AND day > today - ${active.of}) AS active_days,
        countIf(mark = 'active' AND day > today - ${loyal.activeOf}) AS active_days_loyal,
        sumIf(bought, mark = 'bought' AND day > today - ${paying.of}) AS purchases_paying,
        uniqExactIf(day, mark = 'bought' AND day > today - ${loyal.of}) AS purchase_days_loyal,
        sumIf(spent, mark = 'bought' AND day > today - ${loyal.of}) AS spend_loyal,
        sumIf(bought, mark = 'bought' AND day > today - 90) AS purchases_90,
        sumIf(spent, mark = 'bought' AND day > today - 90) AS spend_90,
        any(today) - maxOrNullIf(day, mark = 'bought') AS days_since_purchase
      FROM (SELECT *, ${zoneDay('at_ms - 1')} AS today FROM (${decisions(scope)})) AS d
      INNER JOIN (${marks(scope)}) AS m ON d.user_id = m.user_id
      WHERE m.since <= d.through
      GROUP BY user_id, at_ms, monthly, through)`
}

/**
 * The tier after each decision (`before` and `after`, as rungs): the greatest of the rung at the last monthly evaluation
 * and the rungs after each record since. By (user_id, at_ms, monthly, through).
 */
function history(scope: Scope): string {
  return `
    SELECT *, lagInFrame(after, 1, toUInt8(0)) OVER (PARTITION BY user_id ORDER BY at_ms, monthly, through ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
    FROM (
      SELECT *, max(rung) OVER (PARTITION BY user_id, evaluated ORDER BY at_ms, monthly, through ROWS UNBOUNDED PRECEDING) AS after
      FROM (
        SELECT *, sum(monthly) OVER (PARTITION BY user_id ORDER BY at_ms, monthly, through ROWS UNBOUNDED PRECEDING) AS evaluated
        FROM (${rungs(scope)})))`
}

/** Every change of tier, as `tier_changes` has it but for the reason's words. */
export function tierChanges(scope: Scope): string {
  return `
    SELECT user_id, at_ms - (1 - monthly) AS as_of_ms, ${tierName('before')} AS from_tier, ${tierName('after')} AS to_tier,
      recency_score, frequency_score, monetary_score
    FROM (${history(scope)})
    WHERE before != after`
}

/** The tier from `at_ms` on, by (user_id, at_ms). */
export function tiersFrom(scope: Scope): string {
  return `
    SELECT user_id, at_ms, ${tierName('argMax(after, (monthly, through))')} AS tier
    FROM (${history(scope)})
    GROUP BY user_id, at_ms`
}

/** The tier that each record (`seq`) found, by (user_id, seq). */
export function tiersBefore(scope: Scope): string {
  return `SELECT user_id, through AS seq, ${tierName('before')} AS tier FROM (${history(scope)}) WHERE monthly = 0`
}
