// Where to look at an alert: a board that shows its KPI, in its cell, at that time.
import { boards } from '../../dashboards/all-boards.ts'
import type { Board, BoardUid } from '../../dashboards/board.ts'
import { isVariableKpi } from '../../dashboards/panel-sql.ts'
import { otherLanguage, uidOf } from '../../dashboards/render-grafana.ts'
import { reviewMs } from '../../operators/detect/settings.ts'
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import type { Notification } from '../ports/notifier.ts'

type About = Pick<Notification, 'kind' | 'kpi' | 'grain' | 'dimension' | 'value' | 'bucketAt' | 'firedAt'>
export type BoardLink = (about: About) => string

const hour = 3_600_000
const day = 24 * hour
/** What is shown before the drop and after the latest bucket. Cells compare the last day of the range: a day's own is that, whole. */
const around: Readonly<Record<Grain, { readonly before: number; readonly after: number }>> = {
  minute: { before: 3 * hour, after: hour },
  hour: { before: day, after: 3 * hour },
  day: { before: 14 * day, after: day },
}
/** Of an alert that lasts. */
const longest = 90 * day

/** `url`: of a board here, such as http://localhost:8080/, or in Grafana, http://localhost:3000/d/reelpulse-cells. undefined: there is none. */
export function boardLinkOf(url: string | undefined): BoardLink | undefined {
  if (url === undefined) return undefined
  return (about) => {
    const { kind, kpi, grain, dimension, value, bucketAt, firedAt = bucketAt } = about
    const link = new URL(url)
    const board = boardOf(about)
    const isOurs = turnTo(link, board.uid)
    const has = (name: string) => !isOurs || (board.variables as readonly string[]).includes(name)
    const droppedAt = kind === 'review_overdue' ? bucketAt - reviewMs : Math.min(firedAt, bucketAt)
    const to = bucketAt + around[grain].after
    link.searchParams.set('from', String(Math.max(droppedAt - around[grain].before, to - longest)))
    link.searchParams.set('to', String(to))
    if (has('kpi')) link.searchParams.set('var-kpi', kpi)
    if (dimension !== 'all' && has(dimension)) link.searchParams.set(`var-${dimension}`, value)
    return link.href
  }
}

/** The cells of the KPI, where cells have it; else the first board with a panel of it; of what has none, what fits best. */
function boardOf({ kind, kpi }: About): Board {
  const named = (uid: BoardUid) => boards.find((one) => one.uid === uid)!
  if (kind === 'review_overdue') return named('reelpulse-alerts')
  if (isVariableKpi(kpi)) return named('reelpulse-cells')
  // Nothing comes in any more: it has the counts of a cell.
  if (kpi === 'no_data') return named('reelpulse-overview')
  return boards.find(({ panels }) => panels.some((panel) => 'kpi' in panel && panel.kpi === kpi)) ?? named('reelpulse-alerts')
}

/** Whether it leads to one of our boards now; somebody's own in Grafana stays what it is. */
function turnTo(link: URL, to: BoardUid): boolean {
  const grafana = /^(.*\/d\/)([^/]+)/.exec(link.pathname)
  if (grafana === null) {
    link.searchParams.set('board', to)
    return true
  }
  const [, path, named] = grafana
  const language = (Object.keys(otherLanguage) as (keyof typeof otherLanguage)[]).find((one) => boards.some(({ uid }) => uidOf(uid, one) === named)) // prettier-ignore
  if (language === undefined) return false
  link.pathname = `${path}${uidOf(to, language)}`
  return true
}
