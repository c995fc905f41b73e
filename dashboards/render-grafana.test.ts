import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { kpis } from '../operators/kpi/catalogue.ts'
import { views } from '../operators/views.ts'
import { cellVariables, type Panel } from './board.ts'
import { boards } from './all-boards.ts'
import { grafana } from './dialect.ts'
import { generatedFiles } from './generate.ts'
import { panelQuery } from './panel-sql.ts'
import { renderGrafana } from './render-grafana.ts'

const panels: (readonly [string, Panel])[] = boards.flatMap((board) =>
  board.panels.map((panel) => [`${board.uid}: ${panel.title.en}`, panel] as const),
)

test('a panel of a KPI that the catalogue does not have does not compile', () => {
  // @ts-expect-error it is completion_rate
  const wrong: Panel = { shows: 'kpi_now', kpi: 'completion', title: { en: '', zh: '' } }
  expect(Object.keys(kpis)).not.toContain('kpi' in wrong && wrong.kpi)
})

test('the boards in the repository are those that the data says (npm run generate)', () => {
  for (const { path, content } of generatedFiles()) expect(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')).toBe(content)
})

test.each(panels)('%s reads views only', (_, panel) => {
  const names = [...panelQuery(panel, grafana).sql.matchAll(/\b(?:FROM|JOIN)\s+([\w.`${}:]+)/g)].map((match) => match[1])
  // Which cell is shown follows from what is chosen alone.
  expect(names.length > 0).toBe(panel.shows !== 'cell_shown')
  for (const name of names) expect([...views.map((view) => view.name), `${grafana.signalsDatabase}.signals`]).toContain(name)
})

test('panels fill the board without lying on one another', () => {
  for (const board of boards) {
    const taken = new Set<string>()
    for (const { gridPos } of renderGrafana(board, boards, 'en').panels ?? []) {
      if (gridPos === undefined) throw new Error('a panel of no place')
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(x).toBeLessThan(24)
          expect(taken.has(`${x}/${y}`)).toBe(false)
          taken.add(`${x}/${y}`)
        }
    }
  }
})

test("a KPI's target is the threshold of its panels", () => {
  const rendered = renderGrafana(boards[0]!, boards, 'en')
  const trend = rendered.panels?.find(({ title, type }) => title === 'Completion rate' && type === 'timeseries')
  expect(trend).toMatchObject({
    fieldConfig: { defaults: { thresholds: { steps: [{ color: 'red' }, { value: kpis.completion_rate.target }] } } },
  })
})

test('in Grafana the cell that is chosen goes along, unless the click chooses another', () => {
  const links = (uid: string) =>
    JSON.stringify(
      renderGrafana(
        boards.find((board) => board.uid === uid)!,
        boards,
        'en',
      ),
    ).match(/"url":"\/d\/[^"]+/g)!
  const toCells = links('reelpulse-overview').filter((url) => url.includes('reelpulse-cells?') && url.includes('var-kpi=completion_rate'))
  expect(toCells.length).toBeGreaterThan(0)
  for (const url of toCells) for (const name of cellVariables) expect(url).toContain(`&\${${name}:queryparam}`)
  const toUsers = links('reelpulse-content').filter((url) => url.includes('reelpulse-users?'))
  expect(toUsers.length).toBeGreaterThan(0)
  for (const url of toUsers) expect(url).not.toContain('queryparam')
})

test('a click leads to a board that there is, and sets a variable that it has', () => {
  for (const { uid, panels: own } of boards)
    for (const { drill, title } of own) {
      if (drill === undefined) continue
      const to = boards.find((board) => board.uid === drill.to)
      const sets = [...Object.keys(drill.sets ?? {}), ...(typeof drill.variable === 'string' ? [drill.variable] : [])]
      for (const name of sets) expect(to?.variables, `${uid}: ${title.en}`).toContain(name)
    }
})

test('every board is there in both languages, and says nothing twice', () => {
  expect(new Set(boards.map(({ uid }) => uid)).size).toBe(boards.length)
  const zh = JSON.stringify(renderGrafana(boards[0]!, boards, 'zh'))
  expect(zh).toContain('完播率')
  expect(zh).not.toContain('Completion rate')
})
