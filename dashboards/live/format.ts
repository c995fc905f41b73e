// Figures and instants in the words of a language: percent, counts, money, seconds; times in the zone of whoever looks.
import type { Language } from '../board.ts'

const locales: Record<Language, string> = { en: 'en-GB', zh: 'zh-CN' }
const formats = new Map<string, Intl.NumberFormat>()

/** What rounds to nothing has no sign. */
function number(language: Language, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${language}${JSON.stringify(options)}`
  let format = formats.get(key)
  if (format === undefined) formats.set(key, (format = new Intl.NumberFormat(locales[language], { signDisplay: 'negative', ...options })))
  return format
}

export const nothing = '–'
const timeUnits: Readonly<Record<Language, readonly string[]>> = { en: [' s', ' min', ' h', ' d'], zh: [' 秒', ' 分钟', ' 小时', ' 天'] }

/** `unit`: of the KPI catalogue, or '' for a plain count. */
export function figure(value: number | null | undefined, unit: string, language: Language): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return nothing
  const size = Math.abs(value)
  switch (unit) {
    case 'ratio':
      return number(language, {
        style: 'percent',
        minimumFractionDigits: size < 0.1 ? 2 : 1,
        maximumFractionDigits: size < 0.1 ? 2 : 1,
      }).format(value)
    case 's':
      // Hours and days, beyond what one reads in seconds.
      if (size >= 7_200) {
        const [apart, word] = size >= 172_800 ? [86_400, 3] : [3_600, 2]
        return `${number(language, { maximumFractionDigits: 1 }).format(value / apart)}${timeUnits[language][word]}`
      }
      return size > 0 && size < 1
        ? `${number(language, { maximumFractionDigits: 0 }).format(value * 1_000)} ms`
        : `${number(language, { maximumFractionDigits: size < 10 ? 1 : 0 }).format(value)} s`
    case 'ms':
      return figure(value / 1_000, 's', language)
    case 'fen':
      return figure(value / 100, 'CNY', language)
    case 'CNY':
      return number(language, {
        style: 'currency',
        currency: 'CNY',
        currencyDisplay: 'narrowSymbol',
        maximumFractionDigits: size < 100 ? 2 : 0,
        minimumFractionDigits: size < 100 && !Number.isInteger(value) ? 2 : 0,
      }).format(value)
    default:
      return count(value, language)
  }
}

/** On an axis whose ticks are so far from each other: only as many digits as tell them apart, and no more letters than there is room for. */
export function axisFigure(value: number, unit: string, apart: number, language: Language): string {
  if (unit === 's' && Math.abs(value) >= 7_200) return `${number(language, { maximumFractionDigits: 0 }).format(value)} s`
  const money = unit === 'fen' ? value / 100 : value
  if ((unit === 'fen' || unit === 'CNY') && Math.abs(money) >= 10_000)
    return number(language, { style: 'currency', currency: 'CNY', currencyDisplay: 'narrowSymbol', notation: 'compact', maximumSignificantDigits: 3 }).format(money) // prettier-ignore
  if (unit !== 'ratio') return figure(value, unit, language)
  // Ticks 2.5 % apart want a digit that those 2 % or 5 % apart do not.
  const digits = [0, 1, 2, 3].find((count) => Math.abs(apart * 100 * 10 ** count - Math.round(apart * 100 * 10 ** count)) < 1e-6) ?? 4
  return number(language, { style: 'percent', minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value)
}

/** By how much a figure is above or below another: one digit, so that a column of them can be read. */
export const change = (value: number, language: Language): string =>
  number(language, { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: 'exceptZero' }).format(value)

function count(value: number, language: Language): string {
  const size = Math.abs(value)
  if (size >= 100_000) return number(language, { notation: 'compact', maximumSignificantDigits: 3 }).format(value)
  return number(language, { maximumFractionDigits: Number.isInteger(value) ? 0 : size < 10 ? 2 : 1 }).format(value)
}

const two = (value: number) => String(value).padStart(2, '0')
const day = (at: Date) => `${two(at.getMonth() + 1)}-${two(at.getDate())}`
const minute = (at: Date) => `${two(at.getHours())}:${two(at.getMinutes())}`

/** `12-31 23:59`, in the reader's zone and in the same order in every language; the year only where it is another. */
export function instant(ms: number, withSeconds = false): string {
  const at = new Date(ms)
  if (Number.isNaN(at.getTime())) return nothing
  const year = at.getFullYear() === new Date().getFullYear() ? '' : `${at.getFullYear()}-`
  return `${year}${day(at)} ${minute(at)}${withSeconds ? `:${two(at.getSeconds())}` : ''}`
}
export const date = (ms: number) => instant(ms).split(' ')[0]!

let zoned = new Intl.DateTimeFormat('en-CA', { timeZone: 'UTC' })
/** In which zone the days of KPIs begin; they are called as they are called there, wherever the reader is. */
export function setDayZone(timeZone: string): void {
  zoned = new Intl.DateTimeFormat('en-CA', { timeZone })
}
/** `2026-12-31`: the day that begins then. */
export const zoneDay = (ms: number) => zoned.format(ms)

export const clock = (ms: number) => instant(ms, true).split(' ')[1]!
/** For an axis of such a length. */
export const tick = (ms: number, lengthMs: number) => (lengthMs > 2 * 86_400_000 ? day(new Date(ms)) : minute(new Date(ms)))

/** `3 s`, `5 min`, `2 h`, `4 d`. */
export function duration(ms: number, language: Language): string {
  const units = timeUnits[language]
  const s = Math.max(0, ms / 1_000)
  const [value, unit] = s < 120 ? [s, 0] : s < 7_200 ? [s / 60, 1] : s < 172_800 ? [s / 3_600, 2] : [s / 86_400, 3]
  return `${Math.round(value)}${units[unit]}`
}
