// What a panel holds beside charts and tables of rows: one figure, bars, what is shaded, one row, a chart as a table.
import type { Language } from '../board.ts'
import { lastOf } from './chart.tsx'
import { cellText, columnName, lineName, recordOf, unitOfLine, type Kpis, type Row, type RowsData, type SeriesData } from './figures.ts'
import { change, clock, figure, instant } from './format.ts'
import type { PanelInfo } from './protocol.ts'
import { valueOf, words } from './words.ts'

/** More rows than these nobody reads. */
export const mostRows = 200
/** Where a row leads. */
export type HrefOf = (row: Row) => string | undefined
export type RowsProps = { panel: PanelInfo; data: RowsData; language: Language; kpis: Kpis; hrefOf: HrefOf }

/** A KPI now: the figure, its target, what is usual. */
export function Stat({ panel, data, language, hrefOf }: RowsProps) {
  const w = words[language]
  const row = data.rows[0] === undefined ? {} : recordOf(data, data.rows[0])
  const column = panel.columns[0]!
  const value = numberIn(row, column.name)
  const usual = numberIn(row, 'baseline')
  const { target, better } = panel
  const isGood = value === null || target === null || better === 'neither' ? undefined : better === 'up' ? value >= target : value <= target
  const unit = column.unit ?? 'count'
  const text = <strong>{figure(value, unit, language)}</strong>
  const href = hrefOf(row)
  const against = value === null || usual === null || usual === 0 ? undefined : (value - usual) / Math.abs(usual)
  return (
    <div class="now">
      <p class="figure">{href === undefined ? text : <a href={href}>{text}</a>}</p>
      {target === null ? null : (
        <p class={isGood === undefined ? '' : isGood ? 'good' : 'bad'}>
          {isGood === undefined ? '' : isGood ? '✓ ' : '✗ '}
          {w.target} {figure(target, unit, language)}
        </p>
      )}
      {usual === null ? null : (
        <p>
          {w.usual} {figure(usual, unit, language)}
          {against === undefined ? null : (
            <>
              {' '}
              <span>({change(against, language)})</span>
            </>
          )}
        </p>
      )}
      {typeof row['until_at'] === 'number' && value !== null ? <p>{w.until(untilText(row['until_at']))}</p> : null}
    </div>
  )
}

/** A simulation's log may be ahead of the reader's clock. */
const untilText = (ms: number) => (Math.abs(Date.now() - ms) < 12 * 3_600_000 ? clock(ms).slice(0, 5) : instant(ms))

const numberIn = (row: Row, name: string): number | null => (typeof row[name] === 'number' ? row[name] : null)

export function Bars({ panel, data, language, hrefOf }: RowsProps) {
  const [label, value] = [panel.columns.find(({ is }) => is === 'text')!, panel.columns.find(({ is }) => is === 'number')!]
  const rows = data.rows.map((row) => recordOf(data, row))
  const most = Math.max(1e-9, ...rows.map((row) => numberIn(row, value.name) ?? 0))
  return (
    <table class="bars">
      <caption class="hidden">{panel.title[language]}</caption>
      <tbody>
        {rows.map((row) => {
          const href = hrefOf(row)
          const name = valueOf(label.name, String(row[label.name]), language)
          const number = numberIn(row, value.name)
          return (
            <tr key={String(row[label.name])}>
              <th scope="row">{href === undefined ? name : <a href={href}>{name}</a>}</th>
              <td>{figure(number, value.unit ?? 'count', language)}</td>
              <td aria-hidden="true">
                <svg class="amount" viewBox="0 0 100 6" preserveAspectRatio="none">
                  <rect width={((number ?? 0) / most) * 100} height="6" />
                </svg>
              </td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}

/** A table whose shares and counts are shaded, each against the most of its kind. */
export function Heat({ panel, data, language, kpis }: RowsProps) {
  const [first, ...others] = panel.columns
  const rows = data.rows.map((row) => recordOf(data, row))
  const shaded = others.filter(({ name }) => /^[df]\d+$/.test(name))
  const most = Math.max(1e-9, ...rows.flatMap((row) => shaded.map(({ name }) => numberIn(row, name) ?? 0)))
  const shadeOf = (row: Row, name: string) => {
    const value = numberIn(row, name)
    return value === null || value <= 0 || !shaded.some((one) => one.name === name) ? '' : ` heat-${Math.ceil((value / most) * 6)}`
  }
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={panel.title[language]}>
      <table class="heat">
        <thead>
          <tr>
            {panel.columns.map((column) => (
              <th key={column.name} scope="col" class={column.is === 'number' ? 'number' : ''}>
                {columnName(column, language)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, r) => (
            <tr key={r}>
              <th scope="row">{cellText(first!, row, language, kpis)}</th>
              {others.map((column) => (
                <td key={column.name} class={`${column.is === 'number' ? 'number' : ''}${shadeOf(row, column.name)}`}>
                  {cellText(column, row, language, kpis)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** One row, its columns below each other. */
export function Record({ panel, data, language, kpis }: RowsProps) {
  const row = recordOf(data, data.rows[0]!)
  return (
    <dl class="record">
      {panel.columns.map((column) => (
        <div key={column.name}>
          <dt>{columnName(column, language)}</dt>
          <dd>{cellText(column, row, language, kpis)}</dd>
        </div>
      ))}
    </dl>
  )
}

/** A chart as a table: a row for each point in time, the latest first. */
export function SeriesTable({ panel, data, language }: { panel: PanelInfo; data: SeriesData; language: Language }) {
  const order = data.times.flatMap((_, i) => (data.lines.some(({ values }) => values[i] !== null) ? [i] : [])).toReversed().slice(0, mostRows) // prettier-ignore
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={panel.title[language]}>
      <table>
        <thead>
          <tr>
            <th scope="col">{words[language].time}</th>
            {data.lines.map(({ name }) => (
              <th key={name} scope="col" class="number">
                {lineName(panel, name, language)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {order.map((i) => (
            <tr key={i}>
              <th scope="row">{instant(data.times[i]!)}</th>
              {data.lines.map(({ name, values }) => (
                <td key={name} class="number">
                  {figure(values[i], unitOfLine(panel, name), language)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** What a chart says, for whoever does not see it. */
export function summaryOf(data: SeriesData, panel: PanelInfo, language: Language): string {
  const w = words[language]
  const one = ({ name, values }: SeriesData['lines'][number]) => {
    const there = values.filter((value) => value !== null)
    const [least, most] = [there.reduce((a, b) => Math.min(a, b), Infinity), there.reduce((a, b) => Math.max(a, b), -Infinity)]
    const said = (value: number | null) => figure(value, unitOfLine(panel, name), language)
    return `${lineName(panel, name, language)}: ${w.latest} ${said(lastOf(values))}, ${w.least} ${said(least)}, ${w.most} ${said(most)}`
  }
  const more = data.lines.length > 8 ? `; ${w.linesOf(data.lines.length)}` : ''
  return `${instant(data.from)} – ${instant(data.to)}. ${data.lines.slice(0, 8).map(one).join('; ')}${more}`
}
