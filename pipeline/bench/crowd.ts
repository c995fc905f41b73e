// Browsers as the live board's server sees them: plain HTTP streams that are read, are not read any more, or come and go.
import { get, type ClientRequest } from 'node:http'

/** What people have open, most of them the same: an address, and how many of a hundred have it. */
export const places: readonly { readonly query: string; readonly ofHundred: number }[] = [
  { query: '', ofHundred: 60 },
  { query: '?board=reelpulse-overview&from=now-6h', ofHundred: 8 },
  { query: '?board=reelpulse-overview&var-channel=organic', ofHundred: 5 },
  { query: '?board=reelpulse-cells', ofHundred: 7 },
  { query: '?board=reelpulse-cells&var-kpi=interaction_rate&var-platform=ios', ofHundred: 3 },
  { query: '?board=reelpulse-users', ofHundred: 4 },
  { query: '?board=reelpulse-content&from=now-24h', ofHundred: 4 },
  { query: '?board=reelpulse-alerts&from=now-7d', ofHundred: 4 },
  { query: '?board=reelpulse-pipeline', ofHundred: 3 },
  { query: '?board=reelpulse-commercial&from=now-7d', ofHundred: 2 },
]
const hundred = places.flatMap(({ query, ofHundred }) => Array.from({ length: ofHundred }, () => query))
/** The same for the same number; any hundred in a row have all places. */
export const placeOf = (number: number): string => hundred[(number * 37) % hundred.length]!

export type Habit = 'stays' | 'comes and goes' | 'stops reading'
/** Of any hundred two stop reading, and five come and go. */
export function habitOf(number: number): Habit {
  const at = number % 50
  return at === 7 ? 'stops reading' : at === 13 || at === 31 || (at === 43 && number % 100 < 50) ? 'comes and goes' : 'stays'
}

export type Crowd = {
  /** By habit, how many there are. */
  counts: Readonly<Record<Habit, number>>
  /** Updates that were read so far, of all, and of each that stays on the first place. */
  updates(): { all: number; ofEach: readonly number[] }
  /** Streams of browsers that read which ended though they wanted to stay. */
  lost(): number
  /** Those that do not read come anew. */
  wake(): void
  close(): void
}

/** Who does not read does so after this. */
const readsForMs = 5_000

export type Person = { readonly place: string; readonly habit: Habit }

export const people = (count: number): Person[] => Array.from({ length: count }, (_, i) => ({ place: placeOf(i), habit: habitOf(i) }))

export function openCrowd(url: string, wanted: readonly Person[]): Crowd {
  let isClosed = false
  let lost = 0
  const all = wanted.map(browser)
  const counts: Record<Habit, number> = { stays: 0, 'comes and goes': 0, 'stops reading': 0 }
  for (const { habit } of all) counts[habit]++

  function browser({ place: first, habit }: Person, number: number) {
    let updates = 0
    let visit = number
    let place = first
    let asking: ClientRequest | undefined
    let timer: NodeJS.Timeout | undefined
    const later = (ms: number, work: () => void) => {
      clearTimeout(timer)
      timer = setTimeout(work, ms)
    }

    function open(): void {
      asking?.destroy()
      if (isClosed) return
      const mine = get(`${url}/api/stream${place}`, { agent: false }, (answer) => {
        let rest = ''
        answer.setEncoding('utf8').on('data', (text: string) => {
          const events = (rest + text).split('\n\n')
          rest = events.pop()!
          for (const event of events) if (event.startsWith('data: ')) updates++
        })
        answer.on('close', () => mine === asking && ended())
        if (habit === 'stops reading') later(readsForMs, () => answer.pause())
      })
      asking = mine
      mine.on('error', () => mine === asking && ended())
      if (habit === 'comes and goes') later(20_000 + ((visit * 7_919) % 40_000), leave)
    }

    function ended(): void {
      asking = undefined
      if (isClosed) return
      if (habit !== 'stops reading') lost++
      later(1_000, open)
    }

    function leave(): void {
      const gone = asking
      asking = undefined
      gone?.destroy()
      place = placeOf((visit += 1))
      later(3_000, open)
    }

    open()
    return {
      habit,
      open,
      updates: () => updates,
      isUsual: habit === 'stays' && place === '',
      close() {
        clearTimeout(timer)
        asking?.destroy()
      },
    }
  }

  return {
    counts,
    updates: () => ({
      all: all.reduce((sum, one) => sum + one.updates(), 0),
      ofEach: all.filter(({ isUsual }) => isUsual).map((one) => one.updates()),
    }),
    lost: () => lost,
    wake: () => all.filter(({ habit }) => habit === 'stops reading').forEach((one) => one.open()),
    close() {
      isClosed = true
      for (const one of all) one.close()
    },
  }
}
