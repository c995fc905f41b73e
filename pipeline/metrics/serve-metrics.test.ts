import { expect, test } from 'vitest'
import { boards } from '../../dashboards/all-boards.ts'
import { defaultKpi } from '../../dashboards/board.ts'
import { shownBoard } from '../roles/serve/panels.ts'
import { metrics } from './registry.ts'
import { serveMetrics } from './serve-metrics.ts'

function measured() {
  const { registry, answer } = metrics(() => Promise.resolve(true))
  const watch = serveMetrics({ registry })
  const read = async (name: string): Promise<string[]> =>
    String((await answer()).body)
      .split('\n')
      .filter((line) => line.startsWith(`reelpulse_${name}{`) || line.startsWith(`reelpulse_${name} `))
      .map((line) => line.slice(`reelpulse_${name}`.length))
  return { watch, read }
}

test('a panel that was asked for counts on its board, a failed one by why', async () => {
  const { watch, read } = measured()
  watch.asked('reelpulse-overview', 'open_alerts', 20, undefined)
  watch.asked('reelpulse-overview', 'open_alerts', 2_000, 'too_slow')
  watch.asked('reelpulse-cells', 'cell_shown', 5, undefined)
  expect(await read('panel_query_seconds_count')).toEqual(['{board="reelpulse-overview"} 2', '{board="reelpulse-cells"} 1'])
  expect(await read('panel_query_seconds_sum')).toContain('{board="reelpulse-overview"} 2.02')
  expect(await read('panel_queries_total')).toContain('{board="reelpulse-overview",panel="open_alerts"} 2')
  const failed = await read('panel_query_errors_total')
  expect(failed).toContain('{board="reelpulse-overview",reason="too_slow"} 1')
  expect(failed).toContain('{board="reelpulse-pipeline",reason="store_away"} 0')
})

test('streams, what went down them, and who did not read', async () => {
  const { watch, read } = measured()
  expect(await read('board_streams')).toEqual([' 0'])
  watch.streams(2)
  watch.sent(100)
  watch.sent(50)
  watch.dropped('too_long')
  watch.streams(1)
  expect(await read('board_streams')).toEqual([' 1'])
  expect(await read('board_updates_total')).toEqual([' 2'])
  expect(await read('board_sent_bytes_total')).toEqual([' 150'])
  expect(await read('board_streams_dropped_total')).toEqual(['{reason="too_much"} 0', '{reason="too_long"} 1'])
})

test('metrics tell the panels of a board apart by their names', () => {
  for (const { uid } of boards) {
    const names = shownBoard(uid, { from: 0, to: 1 }, defaultKpi)!.statements.map(({ name }) => name)
    expect(new Set(names).size, uid).toBe(names.length)
  }
})
