// A few rounds for real. More of them: npm run chaos -- --rounds 100.
import { expect, test } from 'vitest'
import { missingKafka } from '../testing/shared-kafka.ts'
import { isGood, runChaos, type ChaosFigures } from './chaos.ts'
import type { Mode } from './plan.ts'

const missing = await missingKafka()
const seed = process.env['SEED'] === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(process.env['SEED'])

async function threeRounds(mode: Mode): Promise<ChaosFigures> {
  const lines = [`SEED=${seed}`]
  const figures = await runChaos({
    mode,
    rounds: 3,
    seed,
    eventsPerSecond: 300,
    note: (line) => lines.push(line),
    signal: new AbortController().signal,
  })
  // Where it fails: what it did, and where everything is kept.
  expect(isGood(figures), `${lines.join('\n')}\n${JSON.stringify(figures, null, 2)}`).toBe(true)
  return figures
}

test(`three rounds of the embedded log and engine lose, double and change nothing (SEED=${seed})`, async () => {
  const { rounds, comparison, flushes, rowsCompared, kept } = await threeRounds('embedded')
  expect(rounds).toBe(3)
  expect(flushes).toBeGreaterThan(50)
  expect(comparison.stored).toBeGreaterThanOrEqual(comparison.acknowledged)
  expect(comparison.acknowledged).toBeGreaterThan(100)
  expect(rowsCompared).toBeGreaterThan(20)
  expect(kept).toBeUndefined()
}, 600_000)

test.skipIf(missing !== undefined)(
  `three rounds of two processes on Kafka lose, double and change nothing (SEED=${seed})${missing === undefined ? '' : ` (${missing})`}`,
  async () => {
    const { rounds, comparison } = await threeRounds('kafka')
    expect(rounds).toBe(3)
    expect(comparison.acknowledged).toBeGreaterThan(100)
  },
  600_000,
)
