// The tier changes that the shopping log (a CSV: user, item, category, behavior, epoch s) must give once imported, straight
// from its rows: no event, no offset, no clock. What `import` and the operators say is held against it.
import { rungFigures } from '../../operators/tiers/ladder.ts'
import { fieldTable, int64, word } from '../../schemas/field.ts'
import { table } from '../../schemas/table.ts'
import { tierName } from './tiers.ts'

/** The rows of the CSV, for whoever wants to query them; made by tests, not part of the product's tables. */
export const shoppingLogTable = table({
  name: 'shopping_log',
  record: fieldTable('ShoppingLogRow', { user: int64(), item: int64(), category: int64(), behavior: word(), at_s: int64() }),
  engine: { kind: 'append' },
  orderBy: ['user', 'at_s'],
  partitionBy: 'tuple()',
})

/**
 * `relation`: a table with columns `user`, `behavior` (pv, cart, fav, buy) and `at_s`; `zone` and `price_minor` (of each
 * purchase) are bound. Gives user_id, from_tier, to_tier, as_of_ms, in order.
 *
 * A user is registered by their first row, so every rung but prospect is within reach from the start. What a rule looks
 * at is looked up in the user's own days: all rows of one second count at once, each at its own time.
 */
export function shoppingLogTierChanges(relation: string): string {
  const { active, paying, loyal } = rungFigures
  const lastDays = (days: string, n: number) => `arrayCount(d -> d > today - ${n} AND d <= today, ${days})`
  const day = (at: string) => `toInt32(toDate(toDateTime(${at}, {zone:String})))`
  return `
    WITH
      seconds AS (
        SELECT toString(user) AS user_id, toUInt32(at_s) AS at, ${day('at')} AS today, countIf(behavior = 'buy') AS bought
        FROM ${relation} GROUP BY user_id, at),
      months AS (
        SELECT toUnixTimestamp(toDateTime(toStartOfMonth(addMonths(toDateTime(first_at, {zone:String}), n)), {zone:String})) AS at
        FROM (SELECT min(at) AS first_at, max(at) AS last_at FROM seconds)
        ARRAY JOIN range(1, toUInt32(dateDiff('month', toDateTime(first_at, {zone:String}), toDateTime(last_at, {zone:String}), {zone:String})) + 1) AS n),
      moments AS (
        SELECT user_id, at, 0 AS monthly, today FROM seconds
        UNION ALL
        SELECT user_id, m.at AS at, 1 AS monthly, ${day('m.at - 1')} AS today
        FROM (SELECT user_id, min(at) AS first_at FROM seconds GROUP BY user_id) AS u CROSS JOIN months AS m
        WHERE m.at > u.first_at),
      known AS (
        SELECT m.user_id AS user_id, m.at AS at, m.monthly AS monthly, m.today AS today,
          arrayDistinct(groupArray(s.today)) AS active_days,
          arrayDistinct(groupArrayIf(s.today, s.bought > 0)) AS buying_days,
          arrayFlatten(groupArray(arrayWithConstant(s.bought, s.today))) AS purchases
        FROM moments AS m INNER JOIN seconds AS s ON m.user_id = s.user_id
        WHERE s.at < m.at + (1 - m.monthly)
        GROUP BY user_id, at, monthly, today),
      rungs AS (
        SELECT user_id, at, monthly,
          multiIf(
            ${lastDays('buying_days', loyal.of)} >= ${loyal.purchaseDays}
              AND ${lastDays('purchases', loyal.of)} * {price_minor:UInt64} >= ${loyal.spendMinor}
              AND ${lastDays('active_days', loyal.activeOf)} >= ${loyal.activeDays}, 4,
            ${lastDays('purchases', paying.of)} >= ${paying.purchases}, 3,
            ${lastDays('active_days', active.of)} >= ${active.days}, 2,
            1) AS rung
        FROM known),
      walked AS (
        SELECT user_id, arraySort(groupArray((at, 1 - monthly, rung))) AS steps,
          arrayFold((tiers, step) -> arrayPushBack(tiers, if(step.2 = 0, step.3, greatest(tiers[-1], step.3))), steps, [toUInt8(0)]) AS tiers
        FROM rungs GROUP BY user_id)
    SELECT user_id, ${tierName('tiers[i]')} AS from_tier, ${tierName('tiers[i + 1]')} AS to_tier, toInt64(steps[i].1) * 1000 AS as_of_ms
    FROM walked ARRAY JOIN arrayEnumerate(steps) AS i
    WHERE tiers[i] != tiers[i + 1]
    ORDER BY user_id, as_of_ms, from_tier`
}
