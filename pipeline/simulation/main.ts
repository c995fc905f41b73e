// `npm run simulate`: simulated runs, each from its seed; names the seeds that left something wrong, and says what.
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { inProcesses, stretchSeeds, type Outcome } from './in-processes.ts'
import { plants, type Plant } from './plants.ts'

const usage = `npm run simulate -- [--seeds N] [--seed S] [--plant NAME] [--signals] [--json]

Runs the process role over simulated brokers, store and clocks, with crashes, lost replies, pauses, rebalances and outages
that a seed decides, and compares what is left with what the log says. The last line says how many seeds failed.

  --seeds N      this many seeds (100), from --from on (1)
  --from F       the first seed
  --seed S       only this seed, and tell what happens in it
  --plant NAME   with a bug planted (${Object.keys(plants).join(', ')}):
                 ends with exit 0 where it is found, within the number of seeds that it must be found in
  --signals      a topic of customer signals in place of behaviour
  --json         ends with one line of JSON`

function whole(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) end(2, `--${name} is ${text}, want a whole number`)
  return value
}

function end(code: number, message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(code)
}

function options() {
  try {
    const text = { type: 'string' } as const
    const flag = { type: 'boolean' } as const
    return parseArgs({ options: { seeds: text, from: text, seed: text, plant: text, signals: flag, json: flag, help: flag } }).values
  } catch (error) {
    return end(2, `${(error as Error).message}\n\n${usage}`)
  }
}

/** Changes the plant's sources as they are loaded. */
function plantIt(plant: Plant): void {
  const files = [...new Set(plant.changes.map(({ file }) => file))]
  const urlOf = (file: string) => new URL(`../../${file}`, import.meta.url).href
  registerHooks({
    load(url, context, next) {
      const file = files.find((name) => urlOf(name) === url)
      if (file === undefined) return next(url, context)
      let source = readFileSync(new URL(url), 'utf8')
      for (const { find, replace } of plant.changes.filter((change) => change.file === file)) {
        if (source.split(find).length !== 2) throw new Error(`the plant's place is not in ${file} just once: ${find}`)
        source = source.replace(find, () => replace)
      }
      return { format: 'module-typescript', source, shortCircuit: true }
    },
  })
}

const given = options()
if (given.help === true) {
  process.stdout.write(`${usage}\n`)
  process.exit(0)
}
const plant = given.plant === undefined ? undefined : plants[given.plant]
if (given.plant !== undefined && plant === undefined) end(2, `--plant ${given.plant}: there are ${Object.keys(plants).join(', ')}`)
if (plant !== undefined) plantIt(plant)

const only = given.seed === undefined ? undefined : whole('seed', given.seed, 0)
const from = only ?? whole('from', given.from, 1)
const count = only === undefined ? whole('seeds', given.seeds, plant?.seeds ?? 100) : 1
const failures: { seed: number; findings: string[] }[] = []
const sums = { seeds: 0, flushes: 0, events: 0, kills: 0, pauses: 0, owners: 0, parts: 0 }
let toldAt = performance.now()

function add(outcome: Omit<Outcome, 'failures'>): void {
  for (const key of ['seeds', 'flushes', 'events', 'kills', 'pauses', 'owners', 'parts'] as const) sums[key] += outcome[key]
  if (performance.now() - toldAt < 10_000) return
  toldAt = performance.now()
  process.stderr.write(`${sums.seeds} of ${count} seeds, ${failures.length} failed\n`)
}

function fail(seed: number, findings: string[]): void {
  failures.push({ seed, findings })
  const more = findings.length > 5 ? `; and ${findings.length - 5} more` : ''
  process.stdout.write(`seed ${seed}: ${findings.slice(0, 5).join('; ')}${more}\n`)
}

if (plant === undefined && count > stretchSeeds)
  await inProcesses(fileURLToPath(import.meta.url), { from, count, words: given.signals === true ? ['--signals'] : [] }, (outcome) => {
    for (const { seed, findings } of outcome.failures) fail(seed, findings)
    add(outcome)
  })
else {
  const { simulate, signals, behavior } = await import('./run.ts')
  const subject = given.signals === true ? signals : behavior
  for (let seed = from; seed < from + count; seed++) {
    const result = await simulate(seed, only === undefined ? undefined : (line) => process.stderr.write(`${line}\n`), subject)
    if (result.findings.length > 0) fail(seed, result.findings)
    add({ seeds: 1, ...result })
    if (plant !== undefined && failures.length > 0) break
  }
}
failures.sort((a, b) => a.seed - b.seed)
process.stdout.write(
  `${sums.kills} kills, ${sums.pauses} pauses, ${sums.owners} owners lost, ${sums.flushes} flushes, ${sums.parts} parts, ${sums.events} steps\n`,
)
if (failures.length > 0 && plant === undefined)
  process.stdout.write(`again: npm run simulate --${given.signals === true ? ' --signals' : ''} --seed ${failures[0]!.seed}\n`)
process.stdout.write(`${sums.seeds} seeds, ${failures.length} failed\n`)
if (given.json === true) process.stdout.write(`${JSON.stringify({ ...sums, failed: failures.length, failures })}\n`)
process.exit(failures.length > 0 === (plant !== undefined) ? 0 : 1)
