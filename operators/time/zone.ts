// Days and months of a time zone, as numbers. Pure: the rules come from the runtime's own zone data.

const dayMs = 86_400_000

export type Zone = {
  readonly name: string
  /** Index of the zone's day that holds the instant: days since 1970-01-01 in local time. */
  dayOf(atMs: number): number
  /** Instant at which a day begins. */
  startOfDay(day: number): number
  /** First 00:00 on the 1st of a month, local time, that is later than the instant. */
  nextMonthStart(afterMs: number): number
  /** Start of the local hour that holds the instant (differs from UTC's where the offset is not whole hours). */
  startOfHour(atMs: number): number
  /** Local time minus UTC at the instant (ms). */
  offsetAt(atMs: number): number
}

/** Throws a RangeError where the runtime does not know the zone. */
export function zone(name: string): Zone {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: name, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric', era: 'short',
  }) // prettier-ignore

  const exactOffset = (atMs: number): number => {
    const part: Record<string, string> = {}
    for (const { type, value } of format.formatToParts(atMs)) part[type] = value
    const year = part['era'] === 'BC' ? 1 - Number(part['year']) : Number(part['year'])
    const local = new Date(0)
    local.setUTCFullYear(year, Number(part['month']) - 1, Number(part['day']))
    local.setUTCHours(Number(part['hour']), Number(part['minute']), Number(part['second']))
    return local.getTime() - Math.floor(atMs / 1000) * 1000
  }

  // Offsets by UTC day; a day with a change in it is cut at that instant. One entry stays hot.
  const days = new Map<number, { from: number; changeAt: number; before: number; after: number }>()
  const lookUp = (utcDay: number) => {
    let entry = days.get(utcDay)
    if (entry === undefined) {
      const from = utcDay * dayMs
      const before = exactOffset(from)
      const after = exactOffset(from + dayMs - 1)
      let low = from
      let high = from + dayMs
      if (before === after) high = from + dayMs
      else
        while (high - low > 1) {
          const middle = Math.floor((low + high) / 2)
          if (exactOffset(middle) === before) low = middle
          else high = middle
        }
      entry = { from, changeAt: high, before, after }
      if (days.size > 4096) days.clear()
      days.set(utcDay, entry)
    }
    return entry
  }
  let hot = lookUp(0)
  const offsetAt = (atMs: number): number => {
    if (atMs < hot.from || atMs >= hot.from + dayMs) hot = lookUp(Math.floor(atMs / dayMs))
    return atMs < hot.changeAt ? hot.before : hot.after
  }

  const dayOf = (atMs: number) => Math.floor((atMs + offsetAt(atMs)) / dayMs)
  const startOfDay = (day: number): number => {
    // The local midnight, where it exists; else the instant at which the day begins after the gap.
    const guess = day * dayMs - offsetAt(day * dayMs - offsetAt(day * dayMs))
    if (dayOf(guess) === day && dayOf(guess - 1) < day) return guess
    let low = guess - dayMs
    let high = guess + dayMs
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (dayOf(middle) < day) low = middle
      else high = middle
    }
    return high
  }

  return {
    name,
    dayOf,
    startOfDay,
    nextMonthStart(afterMs) {
      const local = new Date(dayOf(afterMs) * dayMs)
      for (let ahead = 0; ; ahead++) {
        const start = startOfDay(Date.UTC(local.getUTCFullYear(), local.getUTCMonth() + ahead, 1) / dayMs)
        if (start > afterMs) return start
      }
    },
    startOfHour(atMs) {
      const offset = offsetAt(atMs)
      return Math.floor((atMs + offset) / 3_600_000) * 3_600_000 - offset
    },
    offsetAt,
  }
}
