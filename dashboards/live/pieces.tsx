// What a panel holds beside charts: one figure, bars, a table; and what it says where it has nothing to show.
import { figure, instant, nothing } from './format.ts'
import { lastOf, lineName } from './chart.tsx'
import type { Cell, Language, PanelData, PanelInfo } from './protocol.ts'
import { nameOf, valueOf, words } from './words.ts'

type RowsData = Extract<PanelData, { kind: 'rows' }>
type Props = { panel: PanelInfo; data: RowsData; language: Language }
/** Where a row leads. */
export type HrefOf = (row: Readonly<Record<string, Cell>>) => string | undefined

export const recordOf = ({ columns }: RowsData, row: readonly Cell[]) => Object.fromEntries(columns.map((name, i) => [name, row[i] ?? null]))

export function Stat({ panel, data, language, hrefOf }: Props & { hrefOf: HrefOf }) {
  const row = data.rows[0] ?? []
  const at = (name: string) => row[data.columns.indexOf(name)]
  const value = typeof row[0] === 'number' ? row[0] : null
  const { target, better, unit } = panel
  const isGood = value === null || target === null || better === 'neither' ? undefined : better === 'up' ? value >= target : value <= target
  const usual = at('usual')
  const href = hrefOf(recordOf(data, row))
  const text = figure(value, unit, language)
  return (
    <div class="stat">
      {href === undefined ? <strong>{text}</strong> : <a href={href}><strong>{text}</strong></a>}
      <p>
        {target === null ? null : (
          <span class={isGood === undefined ? '' : isGood ? 'good' : 'bad'}>
            {isGood === undefined ? '' : isGood ? '● ' : '▲ '}
            {words[language].target} {figure(target, unit, language)}
          </span>
        )}
        {typeof usual === 'number' ? <span>{nameOf('baseline', language)} {figure(usual, unit, language)}</span> : null}
      </p>
    </div>
  ) // prettier-ignore
}

export function Bars({ panel, data, language, hrefOf }: Props & { hrefOf: HrefOf }) {
  const label = data.columns.findIndex((_, i) => data.rows.some((row) => typeof row[i] === 'string'))
  const value = data.columns.findIndex((_, i) => data.rows.some((row) => typeof row[i] === 'number'))
  const most = Math.max(1e-9, ...data.rows.map((row) => Number(row[value])))
  return (
    <table class="bars">
      <thead class="hidden">
        <tr>
          <th>{nameOf(data.columns[label] ?? '', language)}</th>
          <th>{nameOf(data.columns[value] ?? '', language)}</th>
          <th />
        </tr>
      </thead>
      <tbody>
        {data.rows.map((row) => {
          const href = hrefOf(recordOf(data, row))
          const name = valueOf(String(row[label] ?? ''), language)
          return (
            <tr key={String(row[label])}>
              <th scope="row">{href === undefined ? name : <a href={href}>{name}</a>}</th>
              <td>{figure(Number(row[value]), panel.unit, language)}</td>
              <td aria-hidden="true">
                <svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none">
                  <rect width={(Number(row[value]) / most) * 100} height="6" rx="1" />
                </svg>
              </td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}

const mostRows = 200

export function Table({ panel, data, language, hrefOf, extra }: Props & { hrefOf: HrefOf; extra?: ((row: Readonly<Record<string, Cell>>) => preact.ComponentChildren) | undefined }) {
  const isNumber = data.columns.map((name, i) => !name.endsWith('_at') && data.rows.some((row) => typeof row[i] === 'number'))
  const shown = data.columns.map((name) => !name.startsWith('_') && name !== 'alert_id')
  const left = data.rows.length - mostRows
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={panel.title[language]}>
      <table>
        <thead>
          <tr>
            {data.columns.map((name, i) => (shown[i] ? <th key={name} scope="col" class={isNumber[i] ? 'number' : ''}>{nameOf(name, language)}</th> : null))}
            {extra === undefined ? null : <th scope="col"><span class="hidden">{words[language].review}</span></th>}
          </tr>
        </thead>
        <tbody>
          {data.rows.slice(0, mostRows).map((row, r) => {
            const record = recordOf(data, row)
            const href = hrefOf(record)
            return (
              <tr key={r}>
                {row.map((cell, i) => {
                  if (!shown[i]) return null
                  const text = cellText(cell, data.columns[i]!, panel.unit, language)
                  return <td key={i} class={isNumber[i] ? 'number' : ''}>{href !== undefined && i === shown.indexOf(true) ? <a href={href}>{text}</a> : text}</td>
                })}
                {extra === undefined ? null : <td>{extra(record)}</td>}
              </tr>
            )
          })}
        </tbody>
      </table>
      {left > 0 ? <p class="note">{words[language].moreRows(left)}</p> : null}
    </div>
  ) // prettier-ignore
}

export function cellText(cell: Cell, column: string, unit: string, language: Language): string {
  if (cell === null || cell === '') return nothing
  if (typeof cell === 'number') return column.endsWith('_at') ? (cell === 0 ? nothing : instant(cell, language)) : figure(cell, unitOf(column, unit), language)
  if (typeof cell === 'string') return valueOf(cell, language)
  return Array.isArray(cell) ? cell.map((one) => (typeof one === 'number' ? figure(one, '', language) : one)).join(', ') : String(cell)
}

/** A column's name ends in its unit; else it has the panel's. */
function unitOf(column: string, unit: string): string {
  if (/_ms$|_ms_\w+$/.test(column)) return 'ms'
  if (/_minor(_\w+)?$/.test(column)) return 'fen'
  if (/_s$/.test(column)) return 's'
  if (/(_rate|^share|_share)$/.test(column)) return 'ratio'
  return unit
}

/** A chart as a table: a row for each point in time, the latest first. */
export function SeriesTable({ panel, data, language }: { panel: PanelInfo; data: Extract<PanelData, { kind: 'series' }>; language: Language }) {
  const order = data.times.map((_, i) => i).filter((i) => data.lines.some(({ values }) => values[i] !== null)).toReversed().slice(0, mostRows) // prettier-ignore
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={panel.title[language]}>
      <table>
        <thead>
          <tr>
            <th scope="col">{words[language].time}</th>
            {data.lines.map(({ name }) => <th key={name} scope="col" class="number">{lineName(name, language)}</th>)}
          </tr>
        </thead>
        <tbody>
          {order.map((i) => (
            <tr key={i}>
              <th scope="row">{instant(data.times[i]!, language)}</th>
              {data.lines.map(({ name, values }) => <td key={name} class="number">{figure(values[i], panel.unit, language)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  ) // prettier-ignore
}

/** What a chart says, for whoever does not see it. */
export function summaryOf(data: Extract<PanelData, { kind: 'series' }>, panel: PanelInfo, language: Language): string {
  const w = words[language]
  const one = ({ name, values }: (typeof data.lines)[number]) => {
    const there = values.filter((value) => value !== null)
    const [least, most] = [Math.min(...there), Math.max(...there)]
    const said = (value: number | null) => figure(value, panel.unit, language)
    return `${lineName(name, language)}: ${w.latest} ${said(lastOf(values))}, ${w.least} ${said(least)}, ${w.most} ${said(most)}`
  }
  return `${instant(data.from, language)} – ${instant(data.to, language)}. ${data.lines.slice(0, 8).map(one).join('; ')}${data.lines.length > 8 ? `; ${w.linesOf(data.lines.length)}` : ''}`
}
