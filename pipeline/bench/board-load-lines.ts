// What pipeline/bench/board-load.ts found, in words, with the rules by which it says that something is as it should be.
import type { BoardLoadFigures, MemoryLoad, PanelLoad } from './board-load.ts'
import { quantile } from './running-program.ts'
import { growsBy } from './slope.ts'

/** A panel is asked for at most once a turn of the server, whatever the number of browsers. */
const turnsPerSecond = 1
/** MB a minute. Less cannot be told in minutes: lines of the last hour get longer until it is full, and code is compiled. */
const flatBelow = 0.1

/** A span between two samples may hold one turn more than it is long. */
export const isAskedOnce = ({ mostPerSecond }: Pick<PanelLoad, 'mostPerSecond'>): boolean => mostPerSecond <= turnsPerSecond * 1.1

/** All that chance seldom passes must be below. */
export const isFlat = ({ slope }: Pick<MemoryLoad, 'slope'>): boolean => growsBy(slope).most < flatBelow

const mb = (value: number) => `${value.toFixed(1)} MB`
const rate = (value: number) => value.toFixed(2)

function memoryLine({ name, samplesMb, slope }: MemoryLoad): string {
  const { least, most } = growsBy(slope)
  return `${name}: ${mb(samplesMb[0]!)} first, ${mb(samplesMb.at(-1)!)} last; ${rate(slope.perMinute)} MB a minute (${rate(least)} to ${rate(most)})`
}

export function boardLoadLines(figures: BoardLoadFigures): string[] {
  const { browsers, minutes, habits, panels, memory } = figures
  const habit = Object.entries(habits).map(([name, count]) => `${count} ${name}`)
  const often = panels.filter((panel) => !isAskedOnce(panel))
  const [heap] = memory
  const sum = (times: (panel: PanelLoad) => number) => panels.reduce((all, panel) => all + panel.perSecond * times(panel), 0)
  const least = panels.toSorted((a, b) => a.perSecond - b.perSecond)[0]!
  const usual = quantile(panels.map(({ perSecond }) => perSecond), 0.5) // prettier-ignore
  return [
    `${browsers} browsers (${habit.join(', ')}) for ${minutes} min`,
    ...panels
      .slice(0, 10)
      .map(
        (panel) =>
          `${rate(panel.perSecond)} questions a second (most ${rate(panel.mostPerSecond)}; ${rate(panel.alonePerSecond)} with one browser at each place) for each of ${panel.watched} ranges and choices, ${panel.browsers} browsers: ${panel.panel}`,
      ),
    `${panels.length} panels: half are asked for every ${(1 / usual).toFixed(1)} s or more often, the least asked every ${(1 / least.perSecond).toFixed(0)} s (${least.panel})`,
    often.length === 0
      ? `every panel, range and choice was asked for at most once a turn of a second: not once for each of its browsers; ${rate(sum(({ watched }) => watched))} questions a second, where one for each browser would be ${rate(sum((panel) => panel.browsers))}; ${rate(figures.questionsRatio)} times those of one browser at each place just before, where the machine was as busy then`
      : `ASKED TOO OFTEN: ${often.map(({ panel }) => panel).join(', ')}`,
    `${figures.errors} questions failed; ${figures.updatesSent} updates sent, ${mb(figures.bytesSent / 2 ** 20)}; ${figures.updatesRead} read; each browser that stays on Overview read ${figures.fewest} to ${figures.most}`,
    `${figures.dropped} streams dropped of those that do not read (the system buffers some MB for each), ${figures.lost} lost of those that do${figures.cpuPerMinuteS === undefined ? '' : `; serve took ${figures.cpuPerMinuteS.toFixed(1)} CPU s a minute`}`,
    ...memory.map(memoryLine),
    ...(heap === undefined
      ? []
      : [
          `serve's memory ${isFlat(heap) ? 'is flat' : 'GROWS'}: the slope of least squares of what is there after full collections, and twice its error, ${isFlat(heap) ? 'is' : 'is not'} below ${flatBelow} MB a minute`,
        ]),
  ]
}
