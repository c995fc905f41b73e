// A user's record in readable form, instants in the zone that the program counts days in.
import { measures, windows } from '../../schemas/measures.ts'
import type { SignalsRecord } from './look-up-signals.ts'
import type { StoredRow, UserRecord } from './look-up.ts'

export type RenderOptions = { zone: string; currency: string }

export function renderSignals({ user_id: user, signals }: SignalsRecord, { zone, currency }: RenderOptions): string {
  const instant = instantIn(zone)
  const rows = signals.map((row) => [instant(row['event_at']), text(row['kind']), signalDetail(row, currency)])
  return [`key ${user}   (times in ${zone})`, rows.length === 0 ? 'signals: none asked for' : table('last signals', rows)].join('\n\n')
}

function signalDetail(row: StoredRow, currency: string): string {
  const said = ['score', 'seconds', 'severity', 'content_id', 'channel'].filter((name) => row[name] !== null && row[name] !== undefined)
  const parts = said.map((name) => (name === 'score' || name === 'seconds' ? `${name} ${text(row[name])}` : text(row[name])))
  if (row['amount_minor'] !== null) parts.unshift(amount(row['amount_minor'], text(row['currency'] ?? currency)))
  return parts.join(' · ')
}

function instantIn(zone: string): (value: unknown) => string {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  })
  return (value) =>
    typeof value === 'string' && value !== '' ? format.format(new Date(`${value.replace(' ', 'T').replace(/Z$/, '')}Z`)) : '–'
}

export function renderUser(user: UserRecord, { zone, currency }: RenderOptions): string {
  const instant = instantIn(zone)
  const sections = [`user ${user.user_id}   (times in ${zone})`]
  if (user.features === null) sections.push('No features row yet: one is written at the end of the interval of the first flush.')
  else sections.push(...featureSections(user.features, instant, currency))

  sections.push(
    user.tier_changes.length === 0
      ? 'tier changes: none'
      : table(
          'tier changes',
          user.tier_changes.map((row) => [instant(row['as_of']), `${text(row['from'])} → ${text(row['to'])}`, text(row['reason'])]),
        ),
  )
  if (user.events.length > 0)
    sections.push(
      table(
        'last events',
        user.events.map((row) => [instant(row['event_at']), text(row['behavior']), eventDetail(row, currency)]),
      ),
    )
  return sections.join('\n\n')
}

function featureSections(row: StoredRow, instant: (value: unknown) => string, currency: string): string[] {
  const rfm = ['recency_score', 'frequency_score', 'monetary_score'].map((name) => text(row[name])).join('-')
  const summary: [string, string][] = [
    ['tier', `${text(row['tier'])}   RFM ${rfm}`],
    ['as of', `${instant(row['as_of'])}   operator version ${text(row['operator_version'])}`],
    ['last seen on', ['platform', 'app_version', 'channel', 'region'].map((name) => text(row[name])).join(' · ')],
    ['first seen', instant(row['first_seen_at'])],
    ['registered', instant(row['registered_at'])],
    ['last seen', instant(row['last_seen_at'])],
    ['last purchase', instant(row['last_purchase_at'])],
    ['purchases', `${text(row['purchases'])}, ${amount(row['amount_minor'], currency)}; in 90 days ${text(row['purchases_90d'])} on ${text(row['purchase_days_90d'])} days, ${amount(row['amount_minor_90d'], currency)}`],
    ['active days', `${text(row['active_days_7d'])} of 7, ${text(row['active_days_30d'])} of 30`],
    ['categories', categories(row)],
  ] // prettier-ignore
  const names = windows.map((window) => window.name)
  const counts = measures
    .map((measure) => [measure as string, ...names.map((name) => text(row[`${measure}_${name}`]))])
    .filter((cells) => cells.slice(1).some((cell) => cell !== '0'))
  const width = (column: number) => Math.max(...[['', ...names], ...counts].map((cells) => cells[column]!.length))
  const line = (cells: string[]) => `  ${cells.map((cell, i) => (i === 0 ? cell.padEnd(width(0)) : cell.padStart(width(i)))).join('  ')}`
  return [
    summary.map(([name, value]) => `  ${name.padEnd(14)}${value}`).join('\n'),
    counts.length === 0 ? 'rolling windows: all zero' : ['rolling windows', line(['', ...names]), ...counts.map(line)].join('\n'),
  ]
}

function categories(row: StoredRow): string {
  const names = row['top_categories'] as readonly string[]
  const values = row['top_affinities'] as readonly number[]
  return names.length === 0 ? '–' : names.map((name, i) => `${name} ${values[i]!.toFixed(2)}`).join(', ')
}

function eventDetail(row: StoredRow, currency: string): string {
  const said = ['content_id', 'creator_id', 'category', 'surface', 'query'].filter((name) => row[name] !== null && row[name] !== undefined)
  const parts = said.map((name) => text(row[name]))
  if (row['watch_ms'] !== null) parts.unshift(`watched ${text(row['watch_ms'])} of ${text(row['duration_ms'])} ms`)
  if (row['amount_minor'] !== null) parts.unshift(amount(row['amount_minor'], text(row['currency'] ?? currency)))
  return parts.join(' · ')
}

/** Minor units in the currency's own form; one that the runtime does not know as a plain number. */
function amount(minor: unknown, currency: string): string {
  try {
    const format = new Intl.NumberFormat('en-US', { style: 'currency', currency, currencyDisplay: 'code' })
    return format.format(Number(minor) / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2)).replace(/\u00a0/g, ' ')
  } catch {
    return `${text(minor)} ${currency} (minor units)`
  }
}

function table(title: string, rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)))
  return [title, ...rows.map((cells) => `  ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')}`.trimEnd())].join('\n')
}

const text = (value: unknown): string => {
  if (value === null || value === undefined) return '–'
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean)
}
