import { expect, test } from 'vitest'
import { detectMetrics } from './detect-metrics.ts'
import { metrics } from './registry.ts'

function measured() {
  let nowMs = 1_000_000
  const { registry, answer } = metrics(() => Promise.resolve(true))
  const watch = detectMetrics({ registry, now: () => nowMs })
  const read = async (name: string): Promise<string[]> =>
    String((await answer()).body)
      .split('\n')
      .filter((line) => line.startsWith(`reelpulse_${name}{`) || line.startsWith(`reelpulse_${name} `))
  return { watch, read, pass: (ms: number) => (nowMs += ms) }
}

test('a detector that looks at nothing is later and later', async () => {
  const { watch, read, pass } = measured()
  pass(30_000)
  expect(await read('detector_delay_seconds')).toEqual(['reelpulse_detector_delay_seconds 30'])
  watch.evaluated(940_000)
  watch.evaluated(1_000_000)
  pass(10_000)
  expect(await read('detector_delay_seconds')).toEqual(['reelpulse_detector_delay_seconds 40'])
  expect(await read('detector_evaluations_total')).toEqual(['reelpulse_detector_evaluations_total 2'])
})

test('each receiver is told by itself, from 0 on', async () => {
  const { watch, read, pass } = measured()
  watch.owed('webhook a', 2, 1_000_000)
  watch.owed('webhook b', 0, undefined)
  watch.delivered('webhook a', 'parked')
  pass(5_000)
  expect(await read('alerts_owed')).toEqual([
    'reelpulse_alerts_owed{receiver="webhook a"} 2',
    'reelpulse_alerts_owed{receiver="webhook b"} 0',
  ])
  expect(await read('alerts_owed_seconds')).toEqual([
    'reelpulse_alerts_owed_seconds{receiver="webhook a"} 5',
    'reelpulse_alerts_owed_seconds{receiver="webhook b"} 0',
  ])
  expect(await read('alert_deliveries_total')).toContain('reelpulse_alert_deliveries_total{receiver="webhook a",outcome="parked"} 1')
  expect(await read('alert_deliveries_total')).toContain('reelpulse_alert_deliveries_total{receiver="webhook b",outcome="failed"} 0')
})
