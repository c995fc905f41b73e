// What a user's whole life comes to: first and last times, totals, active days and purchase days.
import { checkCount, putInt, putUint, room, takeInt, takeUint, type ByteReader, type ByteWriter } from '../bytes.ts'
import type { TierFacts } from '../tiers/ladder.ts'
import { grown } from '../users/registry.ts'

const FIRST_SEEN = 0
const LAST_SEEN = 1
const REGISTERED = 2
const LAST_PURCHASE = 3
const AMOUNT = 4
const timeColumns = 5

const keptPurchaseDays = 90

export type Lifetimes = {
  /** Adds one accepted event of corrected time `t`, on zone day `day`. */
  add(slot: number, t: number, day: number, register: boolean, purchase: boolean, amountMinor: number): void
  /** Columns of the last accepted event: codes of platform, channel, region, app version. */
  setLast(slot: number, platform: number, channel: number, region: number, appVersion: number): void
  firstSeenAt(slot: number): number
  lastSeenAt(slot: number): number
  /** NaN where there is none. */
  registeredAt(slot: number): number
  /** NaN where there is none. */
  lastPurchaseAt(slot: number): number
  purchases(slot: number): number
  amountMinor(slot: number): number
  platform(slot: number): number
  channel(slot: number): number
  region(slot: number): number
  appVersion(slot: number): number
  /** Days with an event among the `days` (≤ 31) that end with `lastDay`. */
  activeDays(slot: number, lastDay: number, days: number): number
  /** Sets `into` to the figures of the days that end with `lastDay`. */
  facts(slot: number, lastDay: number, into: LifetimeFacts): void
  resize(users: number): void
  /** Back to nothing, as before the user's first event. */
  clear(slot: number): void
  /** The user's state as bytes, and back into a slot that is clear (checkpoints). `read` gives last_seen_at. */
  write(slot: number, to: ByteWriter): void
  read(slot: number, from: ByteReader, registered: boolean, purchased: boolean): number
}

export type LifetimeFacts = TierFacts & { purchases90: number }

export const noFacts = (): LifetimeFacts => ({
  registered: false, activeDays7: 0, activeDays30: 0, purchases30: 0, purchaseDays90: 0, spend90Minor: 0, purchases90: 0,
}) // prettier-ignore

function bitsSet(x: number): number {
  x -= (x >>> 1) & 0x55555555
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333)
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

/** `otherCodes`: the code of `other` among channels, regions and app versions. */
export function lifetimes(initialUsers: number, otherCodes: readonly [number, number, number]): Lifetimes {
  let times = new Float64Array(initialUsers * timeColumns).fill(NaN)
  let purchases = new Int32Array(initialUsers)
  let activityDay = new Int32Array(initialUsers) // newest day in the bitmap
  let activityBits = new Int32Array(initialUsers) // bit k: active on activityDay − k
  let last = new Uint16Array(initialUsers * 4)
  // Purchase days, newest first, chained; entry 0 is "none".
  let firstDay = new Int32Array(initialUsers)
  let dayInts = new Int32Array(256 * 3) // day, purchases, next
  let dayAmounts = new Float64Array(256)
  let daysMade = 1
  let freeDay = 0

  function newDay(): number {
    if (freeDay !== 0) {
      const entry = freeDay
      freeDay = dayInts[entry * 3 + 2]!
      return entry
    }
    const entry = daysMade++
    if (entry >= dayAmounts.length) {
      dayInts = grown(dayInts, dayInts.length * 2)
      dayAmounts = grown(dayAmounts, dayAmounts.length * 2)
    }
    return entry
  }

  function addPurchase(slot: number, day: number, count: number, amountMinor: number): void {
    let newer = 0
    let entry = firstDay[slot]!
    while (entry !== 0 && dayInts[entry * 3]! > day) {
      newer = entry
      entry = dayInts[entry * 3 + 2]!
    }
    if (entry === 0 || dayInts[entry * 3] !== day) {
      const made = newDay()
      dayInts[made * 3] = day
      dayInts[made * 3 + 1] = 0
      dayInts[made * 3 + 2] = entry
      dayAmounts[made] = 0
      if (newer === 0) firstDay[slot] = made
      else dayInts[newer * 3 + 2] = made
      entry = made
    }
    dayInts[entry * 3 + 1]! += count
    dayAmounts[entry]! += amountMinor
    dropDaysBefore(slot, dayInts[firstDay[slot]! * 3]! - keptPurchaseDays)
  }

  /** Frees purchase days older than any row may still look at: the clock's day is at least the newest one. */
  function dropDaysBefore(slot: number, day: number): void {
    let newer = 0
    let entry = firstDay[slot]!
    while (entry !== 0 && dayInts[entry * 3]! >= day) {
      newer = entry
      entry = dayInts[entry * 3 + 2]!
    }
    if (entry === 0) return
    if (newer === 0) firstDay[slot] = 0
    else dayInts[newer * 3 + 2] = 0
    freeDays(entry)
  }

  /** Frees an entry and those chained to it. */
  function freeDays(first: number): void {
    let entry = first
    while (entry !== 0) {
      const next = dayInts[entry * 3 + 2]!
      dayInts[entry * 3 + 2] = freeDay
      freeDay = entry
      entry = next
    }
  }

  function markActive(slot: number, day: number): void {
    const newest = activityDay[slot]!
    const bits = activityBits[slot]!
    if (bits === 0 || day - newest > 31) {
      activityDay[slot] = day
      activityBits[slot] = 1
    } else if (day > newest) {
      activityDay[slot] = day
      activityBits[slot] = (day - newest === 31 ? 0 : bits << (day - newest)) | 1
    } else if (newest - day < 31) activityBits[slot] = bits | (1 << (newest - day))
  }

  function activeDays(slot: number, lastDay: number, days: number): number {
    const ahead = lastDay - activityDay[slot]!
    if (ahead >= 31) return 0
    return bitsSet((activityBits[slot]! << ahead) & (2 ** days - 1))
  }

  return {
    add(slot, t, day, register, purchase, amountMinor) {
      const at = slot * timeColumns
      if (!(times[at + FIRST_SEEN]! <= t)) times[at + FIRST_SEEN] = t
      if (!(times[at + LAST_SEEN]! >= t)) times[at + LAST_SEEN] = t
      if (register && !(times[at + REGISTERED]! <= t)) times[at + REGISTERED] = t
      if (purchase) {
        if (!(times[at + LAST_PURCHASE]! >= t)) times[at + LAST_PURCHASE] = t
        purchases[slot]!++
        times[at + AMOUNT] = (purchases[slot] === 1 ? 0 : times[at + AMOUNT]!) + amountMinor
        addPurchase(slot, day, 1, amountMinor)
      }
      markActive(slot, day)
    },
    setLast(slot, platform, channel, region, appVersion) {
      last[slot * 4] = platform
      last[slot * 4 + 1] = channel
      last[slot * 4 + 2] = region
      last[slot * 4 + 3] = appVersion
    },
    firstSeenAt: (slot) => times[slot * timeColumns + FIRST_SEEN]!,
    lastSeenAt: (slot) => times[slot * timeColumns + LAST_SEEN]!,
    registeredAt: (slot) => times[slot * timeColumns + REGISTERED]!,
    lastPurchaseAt: (slot) => times[slot * timeColumns + LAST_PURCHASE]!,
    purchases: (slot) => purchases[slot]!,
    amountMinor: (slot) => (purchases[slot] === 0 ? 0 : times[slot * timeColumns + AMOUNT]!),
    platform: (slot) => last[slot * 4]!,
    channel: (slot) => last[slot * 4 + 1]!,
    region: (slot) => last[slot * 4 + 2]!,
    appVersion: (slot) => last[slot * 4 + 3]!,
    activeDays,
    facts(slot, lastDay, into) {
      into.registered = !Number.isNaN(times[slot * timeColumns + REGISTERED]!)
      into.activeDays7 = activeDays(slot, lastDay, 7)
      into.activeDays30 = activeDays(slot, lastDay, 30)
      into.purchases30 = 0
      into.purchases90 = 0
      into.purchaseDays90 = 0
      into.spend90Minor = 0
      for (let entry = firstDay[slot]!; entry !== 0; entry = dayInts[entry * 3 + 2]!) {
        const age = lastDay - dayInts[entry * 3]!
        if (age >= keptPurchaseDays) break
        if (age < 30) into.purchases30 += dayInts[entry * 3 + 1]!
        into.purchases90 += dayInts[entry * 3 + 1]!
        into.purchaseDays90++
        into.spend90Minor += dayAmounts[entry]!
      }
    },
    resize(users) {
      const from = times.length
      times = grown(times, users * timeColumns).fill(NaN, from)
      purchases = grown(purchases, users)
      activityDay = grown(activityDay, users)
      activityBits = grown(activityBits, users)
      last = grown(last, users * 4)
      firstDay = grown(firstDay, users)
    },
    clear(slot) {
      times.fill(NaN, slot * timeColumns, (slot + 1) * timeColumns)
      purchases[slot] = 0
      activityDay[slot] = 0
      activityBits[slot] = 0
      last.fill(0, slot * 4, slot * 4 + 4)
      freeDays(firstDay[slot]!)
      firstDay[slot] = 0
    },
    // Times are told by how long before last_seen_at they are; a code is its place in the list plus one, so that a list may grow.
    write(slot, to) {
      const at = slot * timeColumns
      const lastSeen = times[at + LAST_SEEN]!
      room(to, 160)
      putInt(to, lastSeen)
      putUint(to, lastSeen - times[at + FIRST_SEEN]!)
      if (!Number.isNaN(times[at + REGISTERED]!)) putUint(to, lastSeen - times[at + REGISTERED]!)
      if (purchases[slot] !== 0) {
        putUint(to, lastSeen - times[at + LAST_PURCHASE]!)
        putUint(to, purchases[slot]!)
        putUint(to, times[at + AMOUNT]!)
      }
      putInt(to, activityDay[slot]!)
      putUint(to, activityBits[slot]! >>> 0)
      putUint(to, last[slot * 4]!)
      for (let i = 0; i < 3; i++) putUint(to, last[slot * 4 + 1 + i] === otherCodes[i] ? 0 : last[slot * 4 + 1 + i]! + 1)
      let days = 0
      for (let entry = firstDay[slot]!; entry !== 0; entry = dayInts[entry * 3 + 2]!) days++
      putUint(to, days)
      let newer = activityDay[slot]!
      for (let entry = firstDay[slot]!; entry !== 0; entry = dayInts[entry * 3 + 2]!) {
        room(to, 24)
        putInt(to, newer - dayInts[entry * 3]!)
        newer = dayInts[entry * 3]!
        putUint(to, dayInts[entry * 3 + 1]!)
        putUint(to, dayAmounts[entry]!)
      }
    },
    read(slot, from, registered, purchased) {
      const at = slot * timeColumns
      const lastSeen = takeInt(from)
      times[at + LAST_SEEN] = lastSeen
      times[at + FIRST_SEEN] = lastSeen - takeUint(from)
      if (registered) times[at + REGISTERED] = lastSeen - takeUint(from)
      if (purchased) {
        times[at + LAST_PURCHASE] = lastSeen - takeUint(from)
        purchases[slot] = takeUint(from)
        times[at + AMOUNT] = takeUint(from)
      }
      activityDay[slot] = takeInt(from)
      activityBits[slot] = takeUint(from)
      last[slot * 4] = takeUint(from)
      for (let i = 0; i < 3; i++) {
        const code = takeUint(from)
        last[slot * 4 + 1 + i] = code === 0 ? otherCodes[i]! : code - 1
      }
      const days = takeUint(from)
      checkCount(from, days)
      let newer = activityDay[slot]!
      for (let i = 0; i < days; i++) {
        newer -= takeInt(from)
        addPurchase(slot, newer, takeUint(from), takeUint(from))
      }
      return lastSeen
    },
  }
}
