// A few rounds for real. More of them: npm run chaos -- --rounds 100.
import { describe, expect, test } from 'vitest'
import { missingKafka } from '../testing/shared-kafka.ts'
import { isGood, runChaos, type ChaosFigures } from './chaos.ts'
import { planRounds, sessionTimeoutMs, type Mode, type Round } from './plan.ts'

const missing = await missingKafka()
const seed = process.env['SEED'] === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(process.env['SEED'])

async function good(mode: Mode, plan: readonly Round[]): Promise<ChaosFigures> {
  const lines = [`SEED=${seed}`]
  const signal = new AbortController().signal
  const figures = await runChaos({ mode, plan, seed, eventsPerSecond: 300, note: (line) => lines.push(line), signal })
  // Where it fails: what it did, and where everything is kept.
  expect(isGood(figures), `${lines.join('\n')}\n${JSON.stringify(figures, null, 2)}`).toBe(true)
  expect(figures.rounds).toBe(plan.length)
  expect(figures.comparison.acknowledged).toBeGreaterThan(100)
  expect(figures.comparison.stored).toBeGreaterThanOrEqual(figures.comparison.acknowledged)
  expect(figures.rowsCompared).toBeGreaterThan(20)
  return figures
}

test(`three rounds of the embedded log and engine lose, double and change nothing (SEED=${seed})`, async () => {
  await good('embedded', planRounds(seed, 3, 'embedded'))
}, 600_000)

describe.skipIf(missing !== undefined)(`two processes on a real broker${missing === undefined ? '' : ` (${missing})`}`, () => {
  test(`three rounds lose, double and change nothing (SEED=${seed})`, async () => {
    await good('kafka', planRounds(seed, 3, 'kafka'))
  }, 600_000)

  test(`an owner that wakes up after its partitions moved does no harm (SEED=${seed})`, async () => {
    const round: Round = {
      moment: { kind: 'random', waitMs: 1_500 },
      deed: 'pause',
      parts: ['member 1'],
      forMs: sessionTimeoutMs + 3_000,
    }
    // What it does once it is awake again is done under load, too.
    const after: Round = { moment: { kind: 'random', waitMs: 3_000 }, deed: 'stop', parts: ['member 2'], forMs: 0 }
    const { sessionsLost } = await good('kafka', [round, after])
    expect(sessionsLost).toBeGreaterThanOrEqual(1)
  }, 600_000)
})
