// What an accepted event says, in SQL, from the log's own facts: nothing here reads a column that an operator derived.
import { other } from '../../operators/settings.ts'
import { inCut, usersAre, type Scope } from './scope.ts'

/** An instant as milliseconds. */
export const ms = (instant: string) => `toUnixTimestamp64Milli(${instant})`

/** ⌊x / d⌋ over integers: SQL's own division rounds towards zero. */
export const floorDiv = (x: string, d: number) => `intDiv((${x}) - positiveModulo(${x}, ${d}), ${d})`

/** Index of the zone's day that holds an instant (ms). */
export const zoneDay = (at: string) => `toInt32(toDate32(fromUnixTimestamp64Milli(${at}, {zone:String})))`

/** A dimension's value as it counts. */
export const listed = (column: string, list: string) => `if(has({${list}:Array(String)}, ${column}), ${column}, '${other}')`

/** t = min(received_at, record_at) − max(0, sent_at − occurred_at), ms. */
export const correctedMs = `least(${ms('received_at')}, ${ms('record_at')}) - greatest(toInt64(0), ${ms('sent_at')} - ${ms('occurred_at')})`

/**
 * The order of a user's records, also where a repartition moved the user: it brings every partition to a clock that none of their
 * records had, so what came before the move has an earlier one.
 */
export const seqOf = (clockMs: string) => `(toInt128(${clockMs}) * ${2 ** 53} + offset)`

/** `partition`, `offset`, `seq`, `clock_ms`, `t_ms`, `day` and whatever else is asked for, of each accepted event of the scope. */
export function events(scope: Scope, more: readonly string[] = []): string {
  return `
    SELECT user_id, partition, offset, ordinal, behavior,
      ${ms('clock_at')} AS clock_ms,
      ${seqOf('clock_ms')} AS seq,
      ${correctedMs} AS t_ms,
      ${zoneDay('t_ms')} AS day,
      if(behavior = 'purchase', ifNull(amount_minor, 0), 0) AS spent
      ${more.map((column) => `, ${column}`).join('')}
    FROM events
    WHERE ${usersAre(scope.users)} AND ${inCut(scope.cut)}`
}
