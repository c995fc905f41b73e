// How long the causes of a drop take end to end, as the detect role finds them: leaves counted from table `events` of the embedded engine,
// then explained in a thread. Two causes of two dimensions each are planted.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cellName } from '../../operators/attribution/leaves.ts'
import { windowsOf } from '../../operators/attribution/windows.ts'
import { kpiOfEvents } from '../../operators/kpi/event-sql.ts'
import { platforms } from '../../schemas/behavior-batch.ts'
import { eventsTable } from '../../schemas/tables/events.ts'
import { kpiDeltasTable } from '../../schemas/tables/kpi-deltas.ts'
import { openEmbeddedStore } from '../adapters/embedded-store.ts'
import type { Store } from '../ports/store.ts'
import { explainer } from '../roles/detect/explainer.ts'
import { readLeaves } from '../roles/detect/read-leaves.ts'

const listed = { channel: 12, region: 34, app_version: 20, category: 24, surface: 11 } as const
const minuteMs = 60_000
const hourMs = 60 * minuteMs
/** Of a leaf: plays in the window, and in one of the windows before it. */
const playsEach = 2

export type EngineFigures = {
  readonly leaves: number
  readonly events: number
  readonly rows: number
  /** Of the fastest round. */
  readonly seconds: number
  readonly querySeconds: number
  readonly explainSeconds: number
  readonly firstSeconds: number
  readonly rssMb: number
  readonly found: string
}

export async function measureAttributionEngine(leaves: number, rounds: number, note: (line: string) => void): Promise<EngineFigures> {
  const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-bench-'))
  const { store, close } = await openEmbeddedStore({ dataDir, database: 'reelpulse', fsync: 'nothing' })
  const thread = explainer()
  try {
    await store.migrate([eventsTable, kpiDeltasTable], [])
    const begunAt = Math.floor(Date.now() / hourMs) * hourMs - 2 * minuteMs
    await plant(store, leaves, begunAt)
    const events = leaves * playsEach * 2
    note(`${events} events of ${leaves} leaves are in the engine`)
    const kpi = kpiOfEvents('completion_rate')!
    const windows = windowsOf('firing', 'minute', begunAt, begunAt + 2 * minuteMs)
    const cell = { dimension: 'all', value: '' } as const
    let figures: EngineFigures | undefined
    let firstSeconds = NaN
    for (let round = 0; round < rounds; round++) {
      const startedAt = performance.now()
      const answer = await readLeaves(store, {
        kpi,
        grain: 'minute',
        windows,
        zone: 'UTC',
        knownAt: begunAt + hourMs,
        cell,
        limitMs: 600_000,
      })
      const readAt = performance.now()
      if (answer.kind !== 'counted' || answer.leftOut.length > 0) throw new Error(`${leaves} leaves are more than are read`)
      const rows = answer.counted.leaf.length
      const explanation = await thread.explain(answer.counted, answer.scale, { direction: 'fall' }, AbortSignal.timeout(600_000))
      if (explanation.kind !== 'explained') throw new Error(explanation.because)
      const seconds = (performance.now() - startedAt) / 1000
      if (round === 0) firstSeconds = seconds
      if (figures !== undefined && figures.seconds <= seconds) continue
      const querySeconds = (readAt - startedAt) / 1000
      const found = explanation.attribution.causes.map(({ cell }) => cellName(cell)).join('; ')
      figures = {
        leaves: explanation.leaves, events, rows, seconds, querySeconds, explainSeconds: seconds - querySeconds, firstSeconds,
        rssMb: Math.round(process.resourceUsage().maxRSS / 1024), found,
      } // prettier-ignore
    }
    return { ...figures!, firstSeconds }
  } finally {
    await thread.close()
    await close()
    rmSync(dataDir, { recursive: true })
  }
}

/** Plays that complete at 45 %, but in the window fewer of one app version on one platform, and on one surface by one channel. */
async function plant(store: Store, leaves: number, begunAt: number): Promise<void> {
  const sizes = [platforms.length, ...Object.values(listed)]
  const places = sizes.map((size, d) => `intDiv(leaf, ${sizes.slice(0, d).reduce((product, size) => product * size, 1)}) % ${size}`)
  const possible = sizes.reduce((product, size) => product * size, 1)
  if (leaves > possible) throw new Error(`at most ${possible} leaves`)
  const columns = Object.keys(listed)
  await store.command(
    `INSERT INTO events (user_id, event_at, clock_at, block_at, behavior, platform, ${columns.join(', ')}, watch_ms, duration_ms)
     SELECT concat('u', toString(cityHash64(number) % 1000000)), fromUnixTimestamp64Milli({begun:Int64} + if(play < ${playsEach}, 0, -120000 * (1 + leaf % 30)) + cityHash64(number, 1) % 120000) AS t,
       t, fromUnixTimestamp64Milli({begun:Int64} + 120000), 'play', CAST(toInt8(p), ${typeText()}), ${columns.map((name, i) => `concat('v', toString(${'abcde'[i]})) AS ${name}_`).join(', ')},
       if(cityHash64(number, 2) % 1000 < multiIf(play >= ${playsEach}, 450, p = 1 AND c = 2, 270, a = 3 AND e = 0, 270, 450), 10000, 1000), 10000
     FROM (
       SELECT number, (intDiv(number, ${playsEach * 2}) * 1000003) % ${possible} AS leaf, number % ${playsEach * 2} AS play,
         ${places.map((place, d) => `${place} AS ${'pabcde'[d]}`).join(', ')}
       FROM numbers({events:UInt64})
     )`,
    { begun: begunAt, events: leaves * playsEach * 2 },
  )
  const values = [
    ...platforms.map((value) => `('platform', '${value}')`),
    ...Object.entries(listed).flatMap(([name, size]) => Array.from({ length: size }, (_, i) => `('${name}', 'v${i}')`)),
  ]
  await store.command(
    `INSERT INTO kpi_deltas (dimension, value, grain, bucket_at, block_at)
     SELECT x.1, x.2, 'minute', fromUnixTimestamp64Milli({begun:Int64}), fromUnixTimestamp64Milli({begun:Int64}) FROM (SELECT arrayJoin([${values.join(', ')}]) AS x)`,
    { begun: begunAt },
  )
}

const typeText = () => `'Enum8(${platforms.map((name, code) => `\\'${name}\\' = ${code}`).join(', ')})'`
