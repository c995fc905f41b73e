// Alerts and new app versions on the time axis of charts: what is said of each, in words.
import type { Language } from '../board.ts'
import { clock, date, instant } from './format.ts'
import type { Kpis } from './figures.ts'
import type { Mark, MarkKind } from './protocol.ts'
import { valueOf, words } from './words.ts'

export type Marks = Readonly<Record<MarkKind, readonly Mark[]>>
export const noMarks: Marks = { alerts: [], releases: [] }
/** A mark, and what is said of it. */
export type SaidMark = Pick<Mark, 'at' | 'until'> & { readonly of: MarkKind; readonly name: string; readonly when: string }

/** The latest first. */
export function saidMarks({ alerts, releases }: Marks, language: Language, kpis: Kpis): SaidMark[] {
  const w = words[language]
  const ofAlert = ({ kpi, dimension, value }: Mark) =>
    (kpis[kpi]?.words[language] ?? kpi) +
    (dimension === 'all' ? '' : ` · ${valueOf('dimension', dimension, language)} ${valueOf(dimension, value, language)}`)
  const spanOf = ({ at, until }: Mark) =>
    `${instant(at)} – ${until === null ? w.stillOpen : date(until) === date(at) ? clock(until).slice(0, 5) : instant(until)}`
  return [
    ...alerts.map((mark) => ({ of: 'alerts' as const, at: mark.at, until: mark.until, name: ofAlert(mark), when: spanOf(mark) })),
    ...releases.map(({ at, value }) => ({ of: 'releases' as const, at, until: null, name: w.version(value), when: instant(at) })),
  ].toSorted((a, b) => b.at - a.at)
}

/** For whoever does not see a chart. */
export function marksText(marks: readonly SaidMark[], language: Language): string {
  if (marks.length === 0) return ''
  const w = words[language]
  const said = marks.slice(0, 5).map(({ of, name, when }) => `${of === 'alerts' ? `${w.alert} ` : ''}${name} (${when})`)
  const more = marks.length - said.length
  return ` ${w.marked}: ${said.join('; ')}${more > 0 ? `; ${w.moreMarks(more)}` : ''}.`
}
