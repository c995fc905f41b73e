// Minutes of simulated plays for a detector that is to be killed: events and the KPI blocks that they come to, as the process role would
// have left them. Every so often a cell loses half of its completions for a while. All of it follows from the seed.
import type { EventRow } from '../../../schemas/tables/events.ts'
import { eventsTable } from '../../../schemas/tables/events.ts'
import type { Store } from '../../ports/store.ts'
import { deltaWriter, type MadeBlock, type MadeCell } from '../../roles/detect/hand-made.ts'
import { foldSeed, stream } from '../../traffic/generator/random.ts'
import { insertRows, madeEvents } from '../../verify/hand-made.ts'

export const minuteMs = 60_000
/** Minutes before the first that can have an incident: enough to know what is usual. */
export const calmMinutes = 120
/** Of these the last ones have events: the hour that causes are compared with, and more. */
const minutesWithEvents = 75

const values = { channel: ['ad', 'kol'], region: ['CN-11', 'CN-12'], surface: ['feed', 'search'] } as const
type Leaf = { readonly [D in keyof typeof values]: (typeof values)[D][number] }
const leaves: readonly Leaf[] = values.channel.flatMap((channel) =>
  values.region.flatMap((region) => values.surface.map((surface) => ({ channel, region, surface }))),
)
/** Most of channel ad is in one region, so what the one loses the other shows. */
const playsOf = ({ channel, region }: Leaf) => (channel === 'ad' ? (region === 'CN-12' ? 300 : 60) : region === 'CN-12' ? 240 : 420)
const cycleMinutes = 18
const incidentMinutes = 9

/** What is left of a leaf's completions. One cell in the one incident, another in the next, then everything: of the first two all lose less than what alerts. */
function left(leaf: Leaf, minute: number): number {
  const since = minute - calmMinutes
  if (since < 0 || since % cycleMinutes >= incidentMinutes) return 1
  switch (Math.floor(since / cycleMinutes) % 3) {
    case 0:
      return leaf.channel === 'ad' ? 0.65 : 1
    case 1:
      return leaf.region === 'CN-12' ? 0.75 : 1
    default:
      return 0.5
  }
}

export type TrafficWriter = (from: number, to: number) => Promise<void>

/** Writes minutes [from, to), each after the last: the events first, for a block's are there before it. Two writers of one seed write the same. */
export function trafficWriter(store: Store, topicStart: number, seed: number): TrafficWriter {
  const writeBlocks = deltaWriter(store, 1)
  const chance = stream()
  return async (from, to) => {
    const events: EventRow[] = []
    const blocks: MadeBlock[] = []
    for (let minute = from; minute < to; minute++) {
      chance.start(foldSeed(seed), minute)
      const bucketAt = topicStart + minute * minuteMs
      const blockAt = bucketAt + minuteMs + 10_000
      const sums = new Map<string, MadeCell & { sums: { plays: number; completes: number; events: number } }>()
      for (const leaf of leaves) {
        const plays = playsOf(leaf)
        const completes = Math.round(plays * (0.48 + 0.04 * chance.unit()) * left(leaf, minute))
        for (const [dimension, value] of [['all', ''], ...Object.entries(leaf)] as ['all', string][]) {
          const key = `${dimension} ${value}`
          const cell = sums.get(key) ?? { dimension, value, bucketAt, sums: { plays: 0, completes: 0, events: 0 } }
          sums.set(key, cell)
          cell.sums.plays += plays
          cell.sums.events += plays
          cell.sums.completes += completes
        }
        if (minute < calmMinutes - minutesWithEvents) continue
        const made = Array.from({ length: plays }, (_, i) => ({
          ...leaf, t: bucketAt + i, clock_at: bucketAt + i, behavior: 'play' as const, watch_ms: i < completes ? 10_000 : 1_000, duration_ms: 10_000, user_id: `u${i}`,
        })) // prettier-ignore
        events.push(...madeEvents(made).map((event) => ({ ...event, block_at: blockAt, first_offset: minute })))
      }
      blocks.push({ partition: 0, blockAt, cells: [...sums.values()] })
    }
    if (events.length > 0) await insertRows(store, eventsTable, events)
    await writeBlocks(blocks)
  }
}
