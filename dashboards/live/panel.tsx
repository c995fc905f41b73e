// A panel's frame: its title, what it shows, and how it stands: loading, empty, old, failed.
import type { Language } from '../board.ts'
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { Chart } from './chart.tsx'
import type { Kpis, Row } from './figures.ts'
import { marksText, type SaidMark } from './marks.ts'
import { Bars, Heat, Record, SeriesTable, Stat, summaryOf, type HrefOf } from './pieces.tsx'
import type { Fault, PanelData, PanelInfo } from './protocol.ts'
import { Table } from './table.tsx'
import { words } from './words.ts'

export type PanelState = { data?: PanelData; fault?: { code: Fault; message: string } }
export type PanelProps = {
  panel: PanelInfo
  state: PanelState | undefined
  /** Of the time axis, where it has one. */
  marks: readonly SaidMark[]
  isOld: boolean
  language: Language
  look: string
  kpis: Kpis
  hrefOf: HrefOf
  go(href: string): void
  empty: ComponentChildren
  /** At the end of a row. */
  extra?: ((row: Row) => ComponentChildren) | undefined
}

export function Panel(props: PanelProps) {
  const { panel, state, isOld, language, hrefOf } = props
  const [isTable, setTable] = useState(false)
  const w = words[language]
  const { data, fault } = state ?? {}
  const isEmpty =
    data !== undefined && (data.kind === 'series' ? data.lines.length === 0 : data.rows.length === 0 && panel.draws !== 'stat')
  const title = panel.title[language]
  const isChart = data?.kind === 'series' && !isEmpty
  const id = `panel-${panel.id}`
  const faults: Readonly<{ [F in Fault]: string }> = { too_slow: w.faultSlow, refused: w.faultRefused, store_away: w.faultAway }

  return (
    <article
      class={`panel ${panel.draws} w${panel.width}${isOld || fault !== undefined ? ' old' : ''}`}
      aria-labelledby={id}
      aria-busy={data === undefined && fault === undefined}
      data-shows={panel.shows}
    >
      <header>
        <h2 id={id} title={panel.meaning === '' ? undefined : panel.meaning}>
          {title}
        </h2>
        {isChart ? (
          <button
            type="button"
            class="quiet"
            aria-label={isTable ? w.showChart(title) : w.showTable(title)}
            onClick={() => setTable(!isTable)}
          >
            {isTable ? w.asChart : w.asTable}
          </button>
        ) : null}
      </header>
      {fault === undefined ? null : (
        <p class="fault" role="status">
          {faults[fault.code]}
        </p>
      )}
      {data === undefined && fault === undefined ? (
        <div class="skeleton">
          <span class="hidden">{w.loading}</span>
        </div>
      ) : null}
      {isEmpty ? <div class="empty">{props.empty}</div> : null}
      {data === undefined || isEmpty ? null : body(data)}
    </article>
  )

  function body(data: PanelData) {
    const { kpis, extra } = props
    if (data.kind === 'series') {
      if (isTable) return <SeriesTable panel={panel} data={data} language={language} />
      const naming = panel.columns.find(({ is }) => is === 'text')?.name
      return (
        <>
          <p class="hidden">{`${summaryOf(data, panel, language)}.${marksText(props.marks, language)}`}</p>
          <Chart
            panel={panel}
            data={data}
            marks={props.marks}
            language={language}
            look={props.look}
            hrefOf={(line) => hrefOf(naming === undefined ? {} : { [naming]: line })}
            go={props.go}
          />
        </>
      )
    }
    const shared = { panel, data, language, kpis, hrefOf }
    if (panel.draws === 'stat') return <Stat {...shared} />
    if (panel.draws === 'bars') return <Bars {...shared} />
    if (panel.draws === 'map') return <Heat {...shared} />
    if (panel.draws === 'record') return <Record {...shared} />
    return <Table {...shared} extra={extra} />
  }
}
