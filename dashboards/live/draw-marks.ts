// Marks on a chart's canvas: told apart by shape as well as by colour.
import type uPlot from 'uplot'
import type { SaidMark } from './marks.ts'
import type { MarkKind } from './protocol.ts'

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
