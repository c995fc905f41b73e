// Whether `events` can be trusted as the facts: each event once, clocks that only rise, and what had to be rejected not in it.
import { maxAmountMinor, tooOldMs } from '../../schemas/limits.ts'
import { windows } from '../../schemas/measures.ts'
import { correctedMs, floorDiv, ms, seqOf } from './facts.ts'
import { tiersBefore } from './tiers.ts'
import { homeClockAtCut, inCut, integer, usersAre, type Cut, type Scope, type VerifySettings } from './scope.ts'

/** A check gives a row for each finding: at most `examples` lines, and how many there are in all. */
export type Finding = { findings: number; examples: string[] }
const examples = 20

const findings = (line: string, relation: string) => `
  SELECT count() AS findings, groupArray(${examples})(line) AS examples FROM (SELECT ${line} AS line ${relation})`

const place = `concat('partition ', toString(partition), ' offset ', toString(offset), ' ordinal ', toString(ordinal))`

/** Each event by itself. One pass, no state. */
export function wrongEvents(cut: Cut): string {
  const t = correctedMs
  const wrong = [
    [`${ms('event_at')} != ${t}`, 'event_at is not min(received_at, record_at) − max(0, sent_at − occurred_at)'],
    [`clock_at < record_at`, 'clock_at is before record_at'],
    [`${ms('clock_at')} - (${t}) > ${tooOldMs}`, 'was too old'],
    [`clock_at > block_at`, "clock_at is after the block's end"],
    [
      `behavior = 'play' AND (ifNull(content_id, '') = '' OR ifNull(watch_ms, -1) < 0 OR ifNull(duration_ms, 0) <= 0)`,
      'a play without content_id, watch_ms ≥ 0 and duration_ms > 0',
    ],
    [
      `behavior = 'purchase' AND (ifNull(amount_minor, 0) <= 0 OR ifNull(amount_minor, 0) > ${maxAmountMinor} OR ifNull(currency, '') != {currency:String})`,
      'a purchase without a valid amount in the configured currency',
    ],
    [`behavior IN ('impression', 'click', 'like', 'comment', 'share') AND ifNull(content_id, '') = ''`, 'without content_id'],
    [`behavior = 'follow' AND ifNull(creator_id, '') = ''`, 'a follow without creator_id'],
    [`behavior = 'search' AND ifNull(query, '') = ''`, 'a search without query'],
  ]
  const why = `multiIf(${wrong.map(([condition, words]) => `${condition}, '${words!.replaceAll("'", "\\'")}'`).join(', ')}, '')`
  return findings(
    `concat(${place}, ': ', why)`,
    `FROM (SELECT partition, offset, ordinal, ${why} AS why FROM events WHERE ${inCut(cut)}) WHERE why != ''`,
  )
}

/** One record has one clock and one user, and a later record no earlier clock; [from, to) offsets of every partition. */
export function wrongClocks(cut: Cut): string {
  return findings(
    `concat('partition ', toString(partition), ' offset ', toString(offset), ': ', why)`,
    `FROM (
      SELECT partition, offset, multiIf(
        least_ms != greatest_ms, 'events of one record have several clocks',
        least_user != greatest_user, 'events of one record have several users',
        least_ms < max(greatest_ms) OVER (PARTITION BY partition ORDER BY offset ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        'the clock is earlier than at an offset before', '') AS why
      FROM (
        SELECT partition, offset, min(${ms('clock_at')}) AS least_ms, max(${ms('clock_at')}) AS greatest_ms, min(user_id) AS least_user, max(user_id) AS greatest_user
        FROM events WHERE ${inCut(cut)} AND offset >= {from_offset:Int64} AND offset < {to_offset:Int64}
        GROUP BY partition, offset))
    WHERE why != ''`,
  )
}

/** The same (partition, offset, ordinal) twice. */
export function repeatedRows(scope: Scope): string {
  return findings(
    `concat(${place}, ': is there ', toString(copies), ' times')`,
    `FROM (
      SELECT partition, offset, ordinal, count() AS copies FROM events
      WHERE ${usersAre(scope.users)} AND ${inCut(scope.cut)} GROUP BY partition, offset, ordinal HAVING copies > 1)`,
  )
}

/** An event id that its user had accepted in the clock's hour or the 24 before; 744 after a purchase or register. */
export function repeatedIds(scope: Scope): string {
  const window = 'PARTITION BY user_id, event_id ORDER BY clock_at, offset, ordinal ROWS BETWEEN 1 PRECEDING AND CURRENT ROW'
  return findings(
    `concat(${place}, ': event_id ', toString(event_id), ' of user ', user_id, ' had been accepted')`,
    `FROM (
      SELECT user_id, event_id, partition, offset, ordinal, hour,
        lagInFrame(toNullable(hour), 1, NULL) OVER (${window}) AS earlier_hour,
        lagInFrame(behavior IN ('purchase', 'register'), 1) OVER (${window}) AS earlier_lasts
      FROM (
        SELECT user_id, event_id, partition, offset, ordinal, behavior, clock_at, ${floorDiv(ms('clock_at'), 3_600_000)} AS hour
        FROM events WHERE ${usersAre(scope.users)} AND ${inCut(scope.cut)}))
    WHERE earlier_hour IS NOT NULL AND hour - earlier_hour <= if(earlier_lasts, 744, 24)`,
  )
}

/** The same (user_id, as_of) twice in `user_features`. */
export function repeatedFeatures(scope: Scope): string {
  return findings(
    `concat('user ', user_id, ' as of ', toString(as_of), ': ', toString(copies), ' rows')`,
    `FROM (
      SELECT user_id, as_of, count() AS copies FROM user_features
      WHERE ${usersAre(scope.users)} AND ${inCut(scope.cut)} GROUP BY user_id, as_of HAVING copies > 1)`,
  )
}

/** Rows as of an instant that the clock had not reached when their block ended. */
export function rowsAhead(cut: Cut): string {
  const ahead = ['user_features', 'tier_changes'].map(
    (table) => `SELECT '${table}' AS source, user_id, as_of, block_at FROM ${table} WHERE ${inCut(cut)} AND as_of > block_at`,
  )
  return findings(
    `concat(source, ': user ', user_id, ' as of ', toString(as_of), ', but the block ended at ', toString(block_at))`,
    `FROM (${ahead.join(' UNION ALL ')})`,
  )
}

/**
 * Users whose newest row is older than it must be. As far as the clock has come: it is later than the clock of an event
 * whose interval has ended, and no earlier than the last instant at which a tile left one of the user's windows.
 */
export function missingFeatures(scope: Scope, settings: VerifySettings): string {
  const emitMs = integer(settings.emitMs)
  const due = [`if(clock_ms - positiveModulo(clock_ms, ${emitMs}) + ${emitMs} <= until_ms, clock_ms + 1, 0)`]
  if (settings.decayRows)
    for (const w of windows) {
      const leaves = `(tile_${w.name} + 1) * ${w.hopMs} + ${w.spanMs}`
      const rowAt = `${leaves} + kafkaMurmurHash(user_id) % 60 * 1000`
      due.push(`if(${leaves} > clock_ms AND ${rowAt} <= until_ms, ${rowAt}, 0)`)
    }
  return findings(
    `concat('user ', user_id, ': the newest row is as of ', toString(newest_ms), ', one as of ', toString(due_ms), ' or later is missing')`,
    `FROM (
      SELECT user_id, max(arrayMax([${due.join(', ')}])) AS due_ms
      FROM (
        SELECT user_id, ${ms('clock_at')} AS clock_ms, ${homeClockAtCut(scope.cut)} AS until_ms,
          ${windows.map((w) => `${floorDiv(correctedMs, w.hopMs)} AS tile_${w.name}`).join(', ')}
        FROM events WHERE ${usersAre(scope.users)} AND ${inCut(scope.cut)})
      GROUP BY user_id) AS e
    LEFT JOIN (
      SELECT user_id, max(${ms('as_of')}) AS newest_ms FROM user_features
      WHERE ${usersAre(scope.users)} AND ${inCut(scope.cut)} GROUP BY user_id) AS f ON e.user_id = f.user_id
    WHERE newest_ms < due_ms`,
  )
}

/** Events whose tier is not the one that their record found; KPI cells of a tier go by it. */
export function wrongTiers(scope: Scope): string {
  return findings(
    `concat(${place}, ': tier ', stored, ', recomputed ', tier)`,
    `FROM (
      SELECT partition, offset, ordinal, e.stored AS stored, t.tier AS tier
      FROM (
        SELECT user_id, partition, offset, ordinal, toString(tier) AS stored, ${seqOf(ms('clock_at'))} AS seq
        FROM events WHERE ${usersAre(scope.users)} AND ${inCut(scope.cut)}) AS e
      LEFT JOIN (${tiersBefore(scope)}) AS t ON e.user_id = t.user_id AND e.seq = t.seq
      WHERE stored != tier)`,
  )
}
