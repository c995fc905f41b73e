// A panel's frame: its title, what it shows, and how it stands: loading, empty, old, failed.
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { Chart } from './chart.tsx'
import { Bars, SeriesTable, Stat, summaryOf, Table, type HrefOf } from './pieces.tsx'
import type { Cell, Fault, Language, PanelData, PanelInfo } from './protocol.ts'
import { words } from './words.ts'

export type PanelState = { data?: PanelData; fault?: { code: Fault; message: string } }
export type PanelProps = {
  panel: PanelInfo
  state: PanelState | undefined
  isOld: boolean
  language: Language
  look: string
  hrefOf: HrefOf
  go(href: string): void
  empty: ComponentChildren
  extra?: ((row: Readonly<Record<string, Cell>>) => ComponentChildren) | undefined
}

export function Panel(props: PanelProps) {
  const { panel, state, isOld, language, hrefOf } = props
  const [isTable, setTable] = useState(false)
  const w = words[language]
  const { data, fault } = state ?? {}
  const isEmpty = data !== undefined && (data.kind === 'series' ? data.lines.length === 0 : data.rows.length === 0)
  const title = panel.title[language]
  const isChart = data?.kind === 'series' && !isEmpty
  const id = `panel-${panel.id}`
  const faults: Record<Fault, string> = { too_slow: w.faultSlow, refused: w.faultRefused, store_away: w.faultAway }

  return (
    <section class={`panel ${panel.draws} w${panel.width}${isOld || fault !== undefined ? ' old' : ''}`} aria-labelledby={id} aria-busy={data === undefined && fault === undefined}>
      <header>
        <h2 id={id}>{title}</h2>
        {isChart ? (
          <button type="button" class="quiet" aria-pressed={isTable} aria-label={isTable ? w.showChart(title) : w.showTable(title)} onClick={() => setTable(!isTable)}>
            {isTable ? w.asChart : w.asTable}
          </button>
        ) : null}
      </header>
      {fault === undefined ? null : <p class="fault" role="status">{faults[fault.code]}</p>}
      {data === undefined ? (fault === undefined ? <div class="skeleton"><span class="hidden">{w.loading}</span></div> : null) : null}
      {isEmpty ? <div class="empty">{props.empty}</div> : null}
      {data === undefined || isEmpty ? null : body()}
    </section>
  ) // prettier-ignore

  function body() {
    if (data === undefined) return null
    if (data.kind === 'series') {
      if (isTable) return <SeriesTable panel={panel} data={data} language={language} />
      return (
        <>
          <p class="hidden">{summaryOf(data, panel, language)}</p>
          <Chart panel={panel} data={data} language={language} look={props.look} hrefOf={(line) => hrefOf({ $line: line })} go={props.go} />
        </>
      )
    }
    if (panel.draws === 'stat') return <Stat panel={panel} data={data} language={language} hrefOf={hrefOf} />
    if (panel.draws === 'bars') return <Bars panel={panel} data={data} language={language} hrefOf={hrefOf} />
    return <Table panel={panel} data={data} language={language} hrefOf={hrefOf} extra={props.extra} />
  }
}
