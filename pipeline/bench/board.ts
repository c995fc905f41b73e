// How soon the board is there: from the start of the program to live figures in a browser, its first paint, and what its panels take.
import { defaultKpi } from '../../dashboards/board.ts'
import { parameterValues } from '../../dashboards/dialect.ts'
import { openStore } from '../adapters/open.ts'
import { databaseOf, defaultSignalsTopic, defaultTopic } from '../config/names.ts'
import { askPanel } from '../roles/serve/panel-query.ts'
import { allBoards, statementOf } from '../roles/serve/panels.ts'
import { openBrowser } from '../testing/browser.ts'
import { quantile, startWithBoard } from './running-program.ts'

export type BoardFigures = {
  answersS: number
  liveS: number
  firstPaintMs: number
  /** Of a board that has been opened before. */
  filledMs: number
  panels: number
  panelP50Ms: number
  panelP95Ms: number
  slowest: string
}

const hour = 3_600_000
/** Log time that is there when panels are asked. */
const trafficMs = 30_000

export async function measureBoard(rounds: number, note: (line: string) => void): Promise<BoardFigures> {
  const program = await startWithBoard(['--rate', '500'])
  const browser = await openBrowser()
  try {
    note(`the board answers after ${(program.answeredMs / 1000).toFixed(1)} s`)
    const page = await browser.newPage()
    await page.goto(program.url)
    await page.waitForSelector('[data-shows=open_minutes] tbody td', { timeout: 120_000 })
    const liveMs = performance.now() - program.startedAt
    note(`live figures are on it after ${(liveMs / 1000).toFixed(1)} s`)
    await new Promise((resolve) => setTimeout(resolve, trafficMs))
    const again = await browser.newPage()
    await again.goto(program.url)
    await again.waitForFunction(`document.querySelectorAll('.panel').length > 0 && document.querySelector('[aria-busy=true]') === null`)
    const filledMs = await again.evaluate(`performance.now()`)
    const firstPaintMs = await again.evaluate(`performance.getEntriesByName('first-contentful-paint')[0].startTime`)
    await browser.close()
    const times = await panelTimes(program.dataDir, rounds)
    const slowest = times.toSorted((a, b) => b.ms - a.ms)[0]!
    return {
      answersS: program.answeredMs / 1000,
      liveS: liveMs / 1000,
      firstPaintMs: Number(firstPaintMs),
      filledMs: Number(filledMs),
      panels: times.length,
      panelP50Ms: quantile(times.map(({ ms }) => ms), 0.5), // prettier-ignore
      panelP95Ms: quantile(times.map(({ ms }) => ms), 0.95), // prettier-ignore
      slowest: `${slowest.panel} ${Math.round(slowest.ms)} ms`,
    }
  } finally {
    await browser.close()
    await program.stop()
  }
}

/** Every panel of every board, one after another, while the traffic goes on. */
async function panelTimes(dataDir: string, rounds: number): Promise<{ panel: string; ms: number }[]> {
  const store = await openStore({
    data: { dir: dataDir },
    store: { user: 'default', password: '' },
    topic: { topic: defaultTopic },
  } as never)
  const times: { panel: string; ms: number }[] = []
  try {
    for (let round = 0; round < rounds; round++)
      for (const board of allBoards)
        for (const panel of board.panels) {
          const span = { from: Date.now() - hour, to: Date.now() }
          const values = parameterValues({ fromMs: span.from, toMs: span.to }, {}, databaseOf(defaultSignalsTopic))
          const statement = statementOf(panel, span, defaultKpi)
          const startedAt = performance.now()
          await askPanel(store, statement, values, span)
          times.push({ panel: `${board.uid} ${statement.name}`, ms: performance.now() - startedAt })
        }
  } finally {
    await store.close()
  }
  return times
}
