// The load of a run: simulated flushes, some sent again much later, some broken, appended for as long as it takes; and a ledger of what
// the log acknowledged.
import { setTimeout as sleep } from 'node:timers/promises'
import type { OutRecord } from '../ports/log.ts'
import type { Flush } from '../traffic/generator/flush.ts'
import { foldSeed, stream } from '../traffic/generator/random.ts'
import { readFlush } from '../traffic/generator/read-flush.ts'
import { traffic } from '../traffic/generator/traffic.ts'

/** What the log promised to keep. */
export type Ledger = {
  /** Valid events, each once: `<user> <event id in hex>`. */
  events: Set<string>
  /** Records that must be rejected, by their serial number. */
  broken: Set<string>
  /** Appends that failed, so that nobody knows whether the log has them. They were sent again. */
  unsure: number
  /** Flushes that were acknowledged, repeats and broken ones too. */
  flushes: number
  /** Of these, sent again on purpose. */
  repeats: number
}

export type Load = {
  ledger: Ledger
  /** Gives up what is not acknowledged yet. */
  stop(): Promise<void>
}

export type LoadOptions = {
  seed: number
  eventsPerSecond: number
  append: (records: OutRecord[]) => Promise<void>
}

/** Headers by which a record of the topic is known again: a number of its own, and what is wrong with it. */
export const serialHeader = 'serial'
export const faultHeader = 'fault'

export const eventKey = (user: string, idHex: string): string => `${user} ${idHex}`

const sliceMs = 50
const againMs = 100
const burstMs = 5_000
const faultShare = 0.03
const repeatShare = 0.05
/** Flushes that may be sent again: any of the run has the same chance. */
const remembered = 2_000

export function startLoad({ seed, eventsPerSecond, append }: LoadOptions): Load {
  const chance = stream()
  chance.start(foldSeed(seed), 3)
  // Times in a flush matter only as differences (sent − occurred), so simulated time may run as it likes.
  const simulated = traffic({ seed, fromMs: Date.UTC(2026, 0), eventsPerSecond: 20, rhythm: false, users: 3_000, faults: faultShare })
  const ledger: Ledger = { events: new Set(), broken: new Set(), unsure: 0, flushes: 0, repeats: 0 }
  const memory: Flush[] = []
  const stopping = new AbortController()
  let seen = 0
  let serial = 0

  /** Reservoir sampling (Vitter's R). */
  function remember(flush: Flush): void {
    seen++
    if (memory.length < remembered) memory.push(flush)
    else {
      const at = Math.floor(chance.unit() * seen)
      if (at < remembered) memory[at] = flush
    }
  }

  function slice(events: number): { flush: Flush; repeat: boolean }[] {
    const taken: { flush: Flush; repeat: boolean }[] = []
    for (let drawn = 0; drawn < events;) {
      for (const flush of simulated.next(Number.MAX_SAFE_INTEGER, 1)) {
        drawn += Math.max(1, flush.events)
        taken.push({ flush, repeat: false })
        if (memory.length > 0 && chance.unit() < repeatShare)
          taken.push({ flush: memory[Math.floor(chance.unit() * memory.length)]!, repeat: true })
        if (flush.fault === undefined) remember(flush)
      }
    }
    return taken
  }

  function recordOf({ key, value, fault, partition }: Flush): OutRecord {
    const text = (word: string) => new TextEncoder().encode(word)
    const headers = { [serialHeader]: text(String(serial++)), ...(fault === undefined ? {} : { [faultHeader]: text(fault) }) }
    return { key, value, headers, ...(partition === undefined ? {} : { partition }) }
  }

  function promised(flush: Flush, record: OutRecord): void {
    if (flush.fault === 'empty') return
    if (flush.fault !== undefined) {
      ledger.broken.add(Buffer.from(record.headers![serialHeader]!).toString())
      return
    }
    const read = readFlush(flush.value!)!
    for (const { id } of read.events) ledger.events.add(eventKey(read.user, id))
  }

  async function run(): Promise<void> {
    let dueAt = performance.now()
    while (!stopping.signal.aborted) {
      const taken = slice((eventsPerSecond * sliceMs) / 1000)
      const records = taken.map(({ flush }) => recordOf(flush))
      let acknowledged = false
      while (!acknowledged && !stopping.signal.aborted) {
        try {
          await append(records)
          acknowledged = true
        } catch {
          ledger.unsure++
          await sleep(againMs, undefined, { signal: stopping.signal }).catch(() => {})
        }
      }
      if (!acknowledged) break
      taken.forEach(({ flush }, i) => promised(flush, records[i]!))
      ledger.flushes += taken.length
      ledger.repeats += taken.filter(({ repeat }) => repeat).length
      // What an outage held up comes as a burst, when everything has just begun again; but not more than so much of it.
      dueAt = Math.max(dueAt + sliceMs, performance.now() - burstMs)
      await sleep(Math.max(0, dueAt - performance.now()))
    }
  }

  const running = run()
  return {
    ledger,
    async stop() {
      stopping.abort()
      await running
    },
  }
}
