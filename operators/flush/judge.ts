// Is an event of a decodable flush one to count? Pure look-ups in the flush's columns; nothing is copied.
import { maxAmountMinor, maxInstant, tooOldMs } from '../../schemas/limits.ts'
import { eventRejects } from '../../schemas/rejects.ts'
import type { OperatorSettings } from '../settings.ts'
import { HAS_AMOUNT, HAS_DURATION, HAS_PUBLISHED, HAS_WATCH, TOO_LONG, type FlushColumns } from './reader.ts'

/** Codes of the behaviours that a rule names (schemas/behavior-batch.ts has their order). */
export const REGISTER = 0
export const PLAY = 5
export const FOLLOW = 9
export const SEARCH = 10
export const PURCHASE = 11

export const ACCEPTED = -1
// Index in eventRejects.
export const MISSING_FIELD = eventRejects.indexOf('missing_field')
export const FIELD_TOO_LONG = eventRejects.indexOf('field_too_long')
export const OUT_OF_RANGE = eventRejects.indexOf('out_of_range')
export const CURRENCY = eventRejects.indexOf('currency')
export const TOO_OLD = eventRejects.indexOf('too_old')

const outside = (instant: number) => instant > maxInstant || instant < -maxInstant

/**
 * `judge(columns, i)` → ACCEPTED, or the index in `eventRejects` of why event i is not counted; `tooOld` is judged apart,
 * with the corrected time.
 */
export function eventJudge(settings: Pick<OperatorSettings, 'currency'>) {
  const currency = new TextEncoder().encode(settings.currency)

  function isCurrency(columns: FlushColumns, at: number): boolean {
    const b = columns.bytes
    if (b[at] !== currency.length * 2) return false
    for (let i = 0; i < currency.length; i++) if (b[at + 1 + i] !== currency[i]) return false
    return true
  }

  return function judge(columns: FlushColumns, i: number): number {
    const b = columns.bytes
    const code = columns.behavior[i]!
    const has = columns.has[i]!
    // A string of length 0 counts as missing: its length byte is 0.
    const content = columns.content[i]!
    if (code >= 3) {
      if (code <= 8) {
        if (content < 0 || b[content] === 0) return MISSING_FIELD
        if (code === PLAY && (has & (HAS_WATCH | HAS_DURATION)) !== (HAS_WATCH | HAS_DURATION)) return MISSING_FIELD
      } else if (code === FOLLOW) {
        const creator = columns.creator[i]!
        if (creator < 0 || b[creator] === 0) return MISSING_FIELD
      } else if (code === SEARCH) {
        const query = columns.query[i]!
        if (query < 0 || b[query] === 0) return MISSING_FIELD
      } else {
        const unit = columns.currency[i]!
        if ((has & HAS_AMOUNT) === 0 || unit < 0 || b[unit] === 0) return MISSING_FIELD
      }
    }
    if ((has & TOO_LONG) !== 0) return FIELD_TOO_LONG
    if (outside(columns.occurredAt[i]!) || outside(columns.sentAt)) return OUT_OF_RANGE
    if ((has & HAS_PUBLISHED) !== 0 && outside(columns.publishedAt[i]!)) return OUT_OF_RANGE
    if ((has & HAS_WATCH) !== 0 && !(columns.watchMs[i]! >= 0 && columns.watchMs[i]! < 2 ** 31)) return OUT_OF_RANGE
    if ((has & HAS_DURATION) !== 0) {
      const duration = columns.durationMs[i]!
      if (!(duration >= 0 && duration < 2 ** 31) || (duration === 0 && code === PLAY)) return OUT_OF_RANGE
    }
    if ((has & HAS_AMOUNT) !== 0) {
      const amount = columns.amountMinor[i]!
      if (code === PURCHASE ? !(amount > 0 && amount <= maxAmountMinor) : amount > 2 ** 53 || amount < -(2 ** 53)) return OUT_OF_RANGE
    }
    if (code === PURCHASE && !isCurrency(columns, columns.currency[i]!)) return CURRENCY
    return ACCEPTED
  }
}

/** Is an event of corrected time `t` too old at the partition's clock? */
export const isTooOld = (t: number, clockAt: number) => t < clockAt - tooOldMs
