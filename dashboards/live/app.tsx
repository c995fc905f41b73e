// The board in the browser: what its address asks for is streamed to it, and drawn.
import type { Language } from '../board.ts'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { connect, type Connection } from './connect.ts'
import { Filters } from './filters.tsx'
import { setDayZone } from './format.ts'
import { keep, kept } from './kept.ts'
import { MarkList } from './mark-list.tsx'
import { noMarks, saidMarks, type Marks } from './marks.ts'
import { Panel, type PanelState } from './panel.tsx'
import { drillQuery } from './figures.ts'
import type { BoardInfo, BoardsAnswer, Options, PanelInfo, Refusal, RefusalCode, Status, StreamEvent } from './protocol.ts'
import { Pill } from './pill.tsx'
import { ReviewButton } from './review.tsx'
import { placeOf, queryOf } from './state.ts'
import { words } from './words.ts'

export type Looks = { language: Language; theme: 'auto' | 'light' | 'dark' }

/** Panels whose rows are alerts that can be reviewed. */
const reviewed: ReadonlySet<string> = new Set(['open_alerts', 'alert_history', 'reviews_overdue'])

type Seen = {
  board: BoardInfo | undefined
  panels: Readonly<Record<string, PanelState>>
  marks: Marks
  options: Readonly<Record<string, Options>>
}
const nothingSeen: Seen = { board: undefined, panels: {}, marks: noMarks, options: {} }

function seenAfter(seen: Seen, event: StreamEvent): Seen {
  switch (event.event) {
    case 'hello':
      return { ...seen, board: event.board, panels: seen.board?.uid === event.board.uid ? seen.panels : {} }
    case 'panel':
      return { ...seen, panels: { ...seen.panels, [event.id]: { data: event.data } } }
    case 'fault':
      return { ...seen, panels: { ...seen.panels, [event.id]: { ...seen.panels[event.id], fault: event } } }
    case 'marks':
      return { ...seen, marks: { ...seen.marks, [event.of]: event.marks } }
    case 'options':
      return { ...seen, options: { ...seen.options, [event.variable]: event } }
    case 'status':
      return seen
  }
}

export function App() {
  const [query, setQuery] = useState(location.search)
  const [looks, setLooks] = useState(readLooks)
  const [seen, setSeen] = useState(nothingSeen)
  const [connection, setConnection] = useState<Connection>('connecting')
  const [refusal, setRefusal] = useState<Refusal>()
  const [status, setStatus] = useState<Status>()
  const [{ boards, kpis }, setBoards] = useState<BoardsAnswer>({ zone: 'UTC', boards: [], kpis: {} })
  const [isHidden, setHidden] = useState(document.hidden)
  const [isDark, setDark] = useState(() => matchMedia('(prefers-color-scheme: dark)').matches)
  const main = useRef<HTMLElement>(null)
  const place = useMemo(() => placeOf(query), [query])
  const { language, theme } = looks
  const w = words[language]

  useEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
    document.documentElement.dataset['theme'] = theme
    keep(looksKey, JSON.stringify(looks))
  }, [looks])

  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)')
    const themed = () => setDark(dark.matches)
    const moved = () => setQuery(location.search)
    const shown = () => setHidden(document.hidden)
    dark.addEventListener('change', themed)
    addEventListener('popstate', moved)
    document.addEventListener('visibilitychange', shown)
    return () => {
      dark.removeEventListener('change', themed)
      removeEventListener('popstate', moved)
      document.removeEventListener('visibilitychange', shown)
    }
  }, [])

  // Asked for at once, and again with every connection until they are here.
  useEffect(() => {
    if (boards.length > 0 || connection === 'lost') return
    const come = async () => {
      const answer = await fetch('/api/boards')
      if (!answer.ok) return
      const told = (await answer.json()) as BoardsAnswer
      setDayZone(told.zone)
      setBoards(told)
    }
    come().catch(() => {}) // the connection tells that the server is away
  }, [connection])

  const asked = queryOf(place)
  useEffect(() => {
    setSeen((before) => ({ ...nothingSeen, board: before.board, options: before.options }))
    setRefusal(undefined)
  }, [asked])
  // A hidden page lets go of its stream at once: over HTTP/1.1 a browser has six connections for all its tabs, and nobody sees what it would show.
  useEffect(() => {
    if (isHidden) return undefined
    // Many events come at once: one drawing for all of them.
    let came: StreamEvent[] = []
    const take = () => {
      const events = came
      came = []
      setSeen((before) => events.reduce(seenAfter, before))
      for (const event of events) if (event.event === 'status') setStatus(event)
    }
    return connect(asked, {
      event(event) {
        if (came.push(event) === 1) requestAnimationFrame(take)
      },
      connection(state) {
        setConnection(state)
        if (state === 'open') setRefusal(undefined)
      },
      refused: setRefusal,
    })
  }, [asked, isHidden])

  const board = boards.find(({ uid }) => uid === place.board) ?? (place.board === undefined ? boards[0] : undefined) ?? seen.board
  const title = board?.title[language] ?? 'Reelpulse'
  useEffect(() => void (document.title = `${title} · Reelpulse`), [title])
  // On a phone the tabs are wider than the screen; they may come after the board.
  useEffect(() => document.querySelector('.tabs [aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' }), [title, boards])

  function go(href: string): void {
    history.pushState(null, '', href)
    setQuery(new URL(href, location.href).search)
  }
  /** Links within the board are followed without loading the page again. */
  function follow(event: MouseEvent): void {
    const link = event.target instanceof Element ? event.target.closest('a') : null
    const href = link?.getAttribute('href')
    if (href?.startsWith('?') !== true || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    go(href)
    main.current?.focus({ preventScroll: true })
    scrollTo({ top: 0 })
  }

  const marks = useMemo(() => saidMarks(seen.marks, language, kpis), [seen.marks, language, kpis])
  const isOld = connection === 'lost' || status?.store === 'away'
  const missing = board?.needs.find((name) => (place.choice[name] ?? '') === '')
  const user = place.choice['user_id']
  const emptyOf = (panel: PanelInfo) => {
    const said = (first: string, then?: string) => <><p>{first}</p>{then === undefined ? null : <p>{then}</p>}</> // prettier-ignore
    if (status?.clockAt === 0) return said(w.starting)
    if (panel.shows === 'user_now' && user !== undefined) return said(w.unknownUser(user), w.unknownUserHint)
    if (panel.shows === 'open_alerts') return said(w.noAlerts)
    if (panel.shows === 'reviews_overdue') return said(w.noOverdue)
    return panel.shows.startsWith('user_') || board?.uid === 'reelpulse-pipeline'
      ? said(w.noTime)
      : said(w.empty, board?.uid === 'reelpulse-brand' ? w.signalsHint : w.emptyHint)
  }
  const drawPanel = (panel: PanelInfo) => (
    <Panel key={`${board?.uid}/${panel.id}`} panel={panel} state={seen.panels[panel.id]} marks={marks} isOld={isOld} language={language} look={`${theme}|${isDark}`} kpis={kpis}
      hrefOf={(row) => drillQuery(panel.drill, row, place, kpis)} go={go} empty={emptyOf(panel)} extra={reviewed.has(panel.shows) ? (row) => <ReviewButton row={row} language={language} kpis={kpis} /> : undefined} />
  ) // prettier-ignore

  return (
    <div onClick={follow}>
      <a class="skip" href="#board">{w.skip}</a>
      <header class="top">
        <a class="brand" href={queryOf({ board: undefined, range: place.range, choice: {} })}>
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <path d="M3 17h7l3-9 5 16 4-11 2 4h5" />
          </svg>
          Reelpulse
        </a>
        <div class="looks">
          <button type="button" lang={language === 'zh' ? 'en' : 'zh-CN'} onClick={() => setLooks({ ...looks, language: otherLanguage(language) })}>
            {w.language}
          </button>
          <label>
            <span class="hidden">{w.theme}</span>
            <select value={theme} onChange={(event) => setLooks({ ...looks, theme: event.currentTarget.value as Looks['theme'] })}>
              {(['auto', 'light', 'dark'] as const).map((name) => (
                <option key={name} value={name}>
                  {w[name]}
                </option>
              ))}
            </select>
          </label>
        </div>
      </header>
      <div class="bar">
        <nav class="tabs" aria-label={w.boards}>
          {boards
            .filter(({ needs, uid }) => needs.length === 0 || uid === board?.uid)
            .map((one) => (
              <a
                key={one.uid}
                href={queryOf({ board: one.uid, range: place.range, choice: {} })}
                aria-current={one.uid === board?.uid ? 'page' : undefined}
              >
                {one.title[language]}
              </a>
            ))}
        </nav>
        <Pill connection={connection} status={status} language={language} />
      </div>
      <main id="board" tabIndex={-1} ref={main}>
        <h1 class="hidden">{title}</h1>
        {board === undefined ? null : <Filters board={board} place={place} language={language} options={seen.options} hrefOf={queryOf} go={go} />}
        {board === undefined ? null : <CellShown board={board} seen={seen} language={language} />}
        {refusal === undefined && missing === undefined ? <MarkList marks={marks} language={language} href={queryOf({ board: 'reelpulse-alerts', range: place.range, choice: {} })} /> : null}
        {connection === 'lost' && refusal === undefined ? <p class="banner" role="alert">{w.lost}</p> : null}
        {connection !== 'lost' && status?.store === 'away' ? <p class="banner" role="alert">{w.away}</p> : null}
        {refusal === undefined ? null : (
          <div class="refusal" role="alert">
            <h2>{refusedWords(refusal.code, language)}</h2>
            <p>{refusal.error}</p>
            <p><a class="button" href={queryOf({ board: refusal.code === 'unknown_board' ? undefined : place.board, range: { last: '1h' }, choice: {} })}>{w.toLastHour}</a></p>
          </div>
        )}
        {refusal === undefined && missing !== undefined ? <div class="refusal"><h2>{w.needsUser}</h2></div> : null}
        {refusal !== undefined || missing !== undefined || board === undefined ? null : (
          <div class="grid">
            {rowsOf(board.panels).map((row) =>
              row[0]!.draws === 'stat' ? <div class="stats" key={row[0]!.id}>{row.map(drawPanel)}</div> : row.map(drawPanel),
            )}
          </div>
        )}
      </main>
      <footer>{w.footer(Intl.DateTimeFormat().resolvedOptions().timeZone)}</footer>
    </div>
  ) // prettier-ignore
}

/** Figures that follow each other stand in a row of their own. */
function rowsOf(panels: readonly PanelInfo[]): PanelInfo[][] {
  const rows: PanelInfo[][] = []
  for (const panel of panels) {
    if (panel.draws === 'cell') continue
    const last = rows.at(-1)
    if (panel.draws === 'stat' && last?.[0]?.draws === 'stat') last.push(panel)
    else rows.push([panel])
  }
  return rows
}

/** Which cell is shown where one was chosen, and what was chosen in vain. */
function CellShown({ board, seen, language }: { board: BoardInfo; seen: Seen; language: Language }) {
  const w = words[language]
  const panel = board.panels.find(({ draws }) => draws === 'cell')
  const data = panel === undefined ? undefined : seen.panels[panel.id]?.data
  const row = data?.kind === 'rows' ? data.rows[0] : undefined
  if (row === undefined || row[0] === 'all') return null
  return (
    <p class="shown" role="status">
      {w.shown}: <b>{row[0]}</b>
      {row[1] === '' ? null : <span> · {w.notApplied(String(row[1]))}</span>}
    </p>
  )
}

function refusedWords(code: RefusalCode, language: Language): string {
  const w = words[language]
  const said: Partial<Record<RefusalCode, string>> = {
    bad_range: w.badRange, bad_variable: w.badVariable, unknown_board: w.unknownBoard, too_many_streams: w.tooMany, not_this_host: w.notThisHost,
  } // prettier-ignore
  return said[code] ?? w.notSaved
}

const otherLanguage = (language: Language): Language => (language === 'zh' ? 'en' : 'zh')

const looksKey = 'reelpulse-looks'
function readLooks(): Looks {
  let looks: Partial<Looks> = {}
  try {
    looks = JSON.parse(kept(looksKey) ?? '{}') as Partial<Looks>
  } catch {
    // Somebody else wrote it: as if there were nothing.
  }
  return { language: looks.language ?? (navigator.language.startsWith('zh') ? 'zh' : 'en'), theme: looks.theme ?? 'auto' }
}
