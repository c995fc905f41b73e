// Alerts and new app versions on the time axis of charts: drawn by shape as well as colour, and beside the charts as text.
import type { Language } from '../board.ts'
import type uPlot from 'uplot'
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

export function MarkSign({ of }: { of: MarkKind }) {
  return (
    <svg class={`sign ${of}`} viewBox="0 0 8 8" aria-hidden="true">
      <path d={of === 'alerts' ? 'M0 1h8L4 8z' : 'M4 0l4 4-4 4-4-4z'} />
    </svg>
  )
}

/** All that is marked on the board's charts, behind one line that says how much it is and what its signs mean. */
export function MarkList({ marks, language, href }: { marks: readonly SaidMark[]; language: Language; href: string }) {
  const w = words[language]
  const count = (of: MarkKind) => marks.filter((mark) => mark.of === of).length
  if (marks.length === 0) return null
  return (
    <details class="marks">
      <summary>
        {w.marked}:
        {(['alerts', 'releases'] as const)
          .filter((of) => count(of) > 0)
          .map((of) => (
            <span key={of}>
              <MarkSign of={of} /> {of === 'alerts' ? w.alerts(count(of)) : w.versions(count(of))}
            </span>
          ))}
      </summary>
      <ul tabIndex={0} aria-label={w.marked}>
        {marks.map(({ of, name, when }, i) => (
          <li key={i}>
            <MarkSign of={of} />
            <span>{of === 'alerts' ? <a href={href}>{name}</a> : name}</span>
            <span class="when">{when}</span>
          </li>
        ))}
      </ul>
    </details>
  )
}

/** Which marks are under the pointer, at most so many px (of CSS) from it. */
export function marksNear(u: uPlot, marks: readonly SaidMark[], px: number): SaidMark[] {
  const { left } = u.cursor
  if (left === undefined || left < 0 || !u.over.matches(':hover')) return []
  return marks.filter(({ at }) => Math.abs(u.valToPos(at / 1000, 'x') - left) <= px)
}

/** An alert: a line, a triangle above it, and a bar from there for as long as it was open. A version: a dotted line below a square on its tip. */
export function drawMarks(u: uPlot, marks: readonly SaidMark[], colors: Readonly<Record<MarkKind, string>>): void {
  const { ctx, bbox } = u
  const dot = devicePixelRatio
  const right = bbox.left + bbox.width
  const xOf = (ms: number) => u.valToPos(ms / 1000, 'x', true)
  ctx.save()
  // Alerts last: of two at one instant, the graver is seen.
  for (const of of ['releases', 'alerts'] as const) {
    const there = marks.filter((mark) => mark.of === of).map((mark) => ({ ...mark, x: Math.round(xOf(mark.at)) }))
    const seen = there.filter(({ x }) => x >= bbox.left && x <= right)
    ctx.strokeStyle = ctx.fillStyle = colors[of]
    ctx.lineWidth = dot
    ctx.setLineDash(of === 'alerts' ? [] : [2 * dot, 3 * dot])
    ctx.beginPath()
    // Once a place: lines over each other would darken.
    for (const x of new Set(seen.map(({ x }) => x))) {
      ctx.moveTo(x + dot / 2, bbox.top)
      ctx.lineTo(x + dot / 2, bbox.top + bbox.height)
    }
    ctx.globalAlpha = 0.75
    ctx.stroke()
    ctx.beginPath()
    if (of === 'alerts')
      for (const { x, until } of seen) ctx.rect(x, bbox.top - 3 * dot, Math.min(right, until === null ? right : xOf(until)) - x, 3 * dot)
    ctx.globalAlpha = 0.45
    ctx.fill()
    ctx.beginPath()
    for (const { x } of seen) signAt(ctx, of, x + dot / 2, bbox.top - 5 * dot, 5 * dot)
    ctx.globalAlpha = 1
    ctx.fill()
  }
  ctx.restore()
}

function signAt(ctx: CanvasRenderingContext2D, of: MarkKind, x: number, y: number, size: number): void {
  const corners = of === 'alerts' ? [[-1, -1], [1, -1], [0, 1]] : [[0, -1], [1, 0], [0, 1], [-1, 0]] // prettier-ignore
  corners.forEach(([dx, dy], i) => ctx[i === 0 ? 'moveTo' : 'lineTo'](x + dx! * size, y + dy! * size))
  ctx.closePath()
}
