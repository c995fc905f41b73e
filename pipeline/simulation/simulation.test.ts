import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { plants } from './plants.ts'
import { signals, simulate } from './run.ts'

const run = promisify(execFile)
const main = fileURLToPath(new URL('main.ts', import.meta.url))
/** `SEED=… npx vitest run pipeline/simulation` begins elsewhere. */
const first = Number(process.env['SEED'] ?? Date.now() % 1_000_000_000)

test('whatever goes wrong, the tables and topics are those of a run in which nothing did', async () => {
  const failures: string[] = []
  const sums = { kills: 0, pauses: 0, owners: 0, parts: 0 }
  for (let seed = first; seed < first + 60; seed++) {
    const result = await simulate(seed)
    if (result.findings.length > 0) failures.push(`seed ${seed}: ${result.findings.slice(0, 3).join('; ')}`)
    for (const key of ['kills', 'pauses', 'owners', 'parts'] as const) sums[key] += result[key]
  }
  expect(failures).toEqual([])
  // Much did go wrong, and much was written.
  expect(sums.kills).toBeGreaterThan(50)
  expect(sums.pauses).toBeGreaterThan(10)
  expect(sums.owners).toBeGreaterThan(10)
  expect(sums.parts).toBeGreaterThan(5_000)
}, 600_000)

test('the same holds for customer signals', async () => {
  const failures: string[] = []
  const sums = { kills: 0, owners: 0, parts: 0 }
  for (let seed = first; seed < first + 30; seed++) {
    const result = await simulate(seed, undefined, signals)
    if (result.findings.length > 0) failures.push(`seed ${seed}: ${result.findings.slice(0, 3).join('; ')}`)
    for (const key of ['kills', 'owners', 'parts'] as const) sums[key] += result[key]
  }
  expect(failures).toEqual([])
  expect(sums.kills).toBeGreaterThan(25)
  expect(sums.parts).toBeGreaterThan(1_000)
}, 300_000)

test('a seed gives the same run again, to the last step', async () => {
  const told = async () => {
    const lines: string[] = []
    // One seed in forty is calm, and tells five lines or fewer.
    const results = []
    for (let seed = first; seed < first + 5; seed++) results.push(await simulate(seed, (line) => lines.push(line)))
    return { results, lines }
  }
  const once = await told()
  expect(once.lines.length).toBeGreaterThan(5)
  expect(await told()).toEqual(once)
}, 120_000)

test.each(Object.entries(plants))(
  'a planted bug is found: %s',
  async (name, { seeds, says }) => {
    const { stdout } = await run(process.execPath, [main, '--plant', name, '--json'], { timeout: 600_000, maxBuffer: 1e8 })
    const { failures } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { failures: { seed: number; findings: string[] }[] }
    expect(failures, says).toHaveLength(1)
    expect(failures[0]!.seed).toBeLessThanOrEqual(seeds)
    // What is wrong is in the tables or topics, and not that the program fell over.
    expect(failures[0]!.findings[0]).toMatch(/^(part|message) /)
  },
  600_000,
)
