// Lines over time. uPlot draws them; the legend beside it is text, and its lines are links.
import type { Language } from '../board.ts'
import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { axisFigure, figure, instant, tick } from './format.ts'
import { lineName, unitOfLine, type SeriesData } from './figures.ts'
import { drawMarks, marksNear } from './draw-marks.ts'
import { MarkSign } from './mark-list.tsx'
import type { SaidMark } from './marks.ts'
import type { PanelInfo } from './protocol.ts'
import { words } from './words.ts'

/** More lines than this cannot be told apart; the others are in the table. */
export const mostLines = 10
const height = 168
/** Of every chart, so that charts above each other have one axis of time. */
const axisWidth = 54

export type ChartProps = {
  panel: PanelInfo
  data: SeriesData
  marks: readonly SaidMark[]
  language: Language
  /** Changes where colours do. */
  look: string
  hrefOf(line: string): string | undefined
  go(href: string): void
}

/** So many at the pointer are named. */
const mostNear = 4

export function Chart({ panel, data, marks, language, look, hrefOf, go }: ChartProps) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const [at, setAt] = useState<number | undefined>()
  const [tip, setTip] = useState<Tip | undefined>()
  const lines = data.lines.slice(0, mostLines)
  const unit = unitOfLine(panel, lines[0]?.name ?? '')
  const shape = `${look}|${language}|${data.to - data.from}|${data.times.length < 30}|${lines.map(({ name }) => name).join('|')}`
  const range = useRef({ from: data.from, to: data.to })
  range.current = { from: data.from, to: data.to }
  const marked = useRef(marks)
  marked.current = marks
  const clicked = useRef<(index: number | null, near: number | null) => void>(() => {})
  clicked.current = (_, near) => {
    const href = near === null ? undefined : hrefOf(lines[near]?.name ?? '')
    if (href !== undefined) go(href)
  }

  useEffect(() => {
    const element = box.current!
    // A canvas wants the colour itself, which an element has once it is drawn in it.
    const color = (name: string) => {
      element.style.color = `var(${name})`
      return getComputedStyle(element).color
    }
    const targetColor = color('--target')
    const markColors = { alerts: color('--bad'), releases: color('--soft') }
    const grid = { stroke: color('--grid'), width: 1 }
    const font = '11px system-ui, sans-serif'
    let near: number | null = null
    // A point that has no neighbour would not be seen.
    const isSparse = data.times.length < 30
    const made = new uPlot(
      {
        width: element.clientWidth,
        height,
        // Above, the signs of what is marked; to the right, half of the last tick's words.
        padding: [12, 18, 0, 0],
        legend: { show: false },
        scales: {
          x: { range: () => [range.current.from / 1000, range.current.to / 1000] },
          y: { range: (_, least, most) => yRange(least, most, panel.target) },
        },
        series: [
          {},
          ...lines.map((_, i) => ({
            stroke: color(`--line-${i}`),
            width: lines.length > 4 ? 1.2 : 1.6,
            points: { show: isSparse, size: 5 },
            spanGaps: false,
            ...(lines.length === 1 ? { fill: color('--fill-0') } : {}),
          })),
        ],
        axes: [
          {
            stroke: color('--muted'), font, grid: { show: false }, ticks: { ...grid, size: 4 }, size: 26, space: 64,
            values: (_, splits) => splits.map((s) => tick(s * 1000, data.to - data.from)),
          },
          {
            stroke: color('--muted'), font, grid, ticks: { show: false }, size: axisWidth, gap: 6, space: 30,
            values: (_, splits) => splits.map((s) => axisFigure(s, unit, splits[1]! - splits[0]!, language)),
          },
        ], // prettier-ignore
        cursor: {
          sync: { key: 'board', setSeries: false },
          drag: { x: false, y: false },
          points: { size: 6 },
          y: false,
          focus: { prox: 24 },
        },
        focus: { alpha: lines.length > 1 ? 0.25 : 1 },
        hooks: {
          setCursor: [
            (u) => {
              setAt(u.cursor.idx ?? undefined)
              setTip((before) => tipAt(u, marksNear(u, marked.current, 5), before))
            },
          ],
          drawAxes: [(u) => drawMarks(u, marked.current, markColors)],
          setSeries: [(_, index) => (near = index === null ? null : index - 1)],
          draw: [(u) => drawTarget(u, panel.target, targetColor)],
        },
      },
      tableOf(data, lines.length),
      element,
    )
    plot.current = made
    const click = () => clicked.current(made.cursor.idx ?? null, near ?? (lines.length === 1 ? 0 : null))
    made.over.addEventListener('click', click)
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    resized.observe(element)
    return () => {
      resized.disconnect()
      made.destroy()
    }
  }, [shape])

  useEffect(() => plot.current?.setData(tableOf(data, lines.length)), [data, shape])

  useEffect(() => plot.current?.redraw(false), [marks, shape])

  const index = at !== undefined && at < data.times.length ? at : undefined
  return (
    <>
      <div class="plotted" aria-hidden="true">
        <div class="chart" ref={box} />
        {tip === undefined ? null : (
          <ul class="tip" style={tip.isLeft ? { right: `${tip.px}px` } : { left: `${tip.px}px` }}>
            {tip.marks.slice(0, mostNear).map(({ of, name, when }, i) => (
              <li key={i}>
                <MarkSign of={of} />
                <span>
                  <b>{name}</b> {when}
                </span>
              </li>
            ))}
            {tip.marks.length > mostNear ? <li>{words[language].moreMarks(tip.marks.length - mostNear)}</li> : null}
          </ul>
        )}
      </div>
      <ul class="legend">
        {lines.map(({ name, values }, i) => {
          const href = hrefOf(name)
          const label = lineName(panel, name, language)
          return (
            <li
              key={name}
              onMouseEnter={() => plot.current?.setSeries(i + 1, { focus: true })}
              onMouseLeave={() => plot.current?.setSeries(null as never, { focus: true })}
            >
              <i class={`swatch line-${i}`} aria-hidden="true" />
              {href === undefined ? <span>{label}</span> : <a href={href}>{label}</a>}
              <b>{figure(index === undefined ? lastOf(values) : values[index], unitOfLine(panel, name), language)}</b>
            </li>
          )
        })}
        {panel.target === null ? null : (
          <li class="aim">
            <i class="swatch dashed" aria-hidden="true" />
            <span>{words[language].target}</span>
            <b>{figure(panel.target, unit, language)}</b>
          </li>
        )}
        <li class="when">{index === undefined ? '' : instant(data.times[index]!)}</li>
      </ul>
    </>
  )
}

/** What is said at the pointer: beside the mark, on the side that has more room. */
type Tip = { readonly marks: readonly SaidMark[]; readonly px: number; readonly isLeft: boolean }

function tipAt(u: uPlot, marks: readonly SaidMark[], before: Tip | undefined): Tip | undefined {
  if (marks.length === 0) return undefined
  if (before?.marks.length === marks.length && before.marks.every((mark, i) => mark === marks[i])) return before
  const x = u.bbox.left / devicePixelRatio + u.valToPos(marks[0]!.at / 1000, 'x')
  const isLeft = x > u.width / 2
  return { marks, isLeft, px: (isLeft ? u.width - x : x) + 8 }
}

export const lastOf = (values: readonly (number | null)[]): number | null => values.findLast((value) => value !== null) ?? null

function tableOf({ times, lines }: SeriesData, count: number): uPlot.AlignedData {
  return [times.map((ms) => ms / 1000), ...lines.slice(0, count).map(({ values }) => values as (number | null)[])]
}

/** A line of counts begins at nothing; a ratio has room around it, and its target is seen. */
function yRange(least: number | null, most: number | null, target: number | null): [number, number] {
  const [low, high] = [Math.min(least ?? Infinity, target ?? Infinity), Math.max(most ?? -Infinity, target ?? -Infinity)]
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1]
  const start = low >= 0 && (target === null || low < (high - low) * 1.5) ? 0 : low
  const room = (high - start || Math.abs(high) || 1) * 0.08
  return [start === 0 ? 0 : Math.max(low >= 0 ? 0 : -Infinity, start - room), high + room]
}

function drawTarget(u: uPlot, target: number | null, color: string): void {
  if (target === null) return
  const y = Math.round(u.valToPos(target, 'y', true)) + 0.5
  const { ctx, bbox } = u
  ctx.save()
  ctx.strokeStyle = color
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio])
  ctx.beginPath()
  ctx.moveTo(bbox.left, y)
  ctx.lineTo(bbox.left + bbox.width, y)
  ctx.stroke()
  ctx.restore()
}
