// A partition's state at rest: one value for each user that changed, and the ids accepted since the last time. Restored
// at a clock, it goes on exactly as if it had never stopped; users that did not change since need no new value.
import { tiers } from '../../schemas/tiers.ts'
import type { Affinities } from '../affinity/affinity.ts'
import {
  byteWriter, checkCount, checkEnd, putBytes, putInt, putInt32, putUint, room, taken, takeInt, takeUint, type ByteReader, type ByteWriter,
} from '../bytes.ts' // prettier-ignore
import type { SeenIds } from '../dedup/seen-ids.ts'
import type { EmissionSchedule } from '../emission/schedule.ts'
import { murmur2 } from '../hash.ts'
import type { KpiDeltas } from '../kpi/deltas.ts'
import type { Lifetimes } from '../lifetime/lifetime.ts'
import type { RollingWindows } from '../rolling/window.ts'
import { grown, type UserRegistry } from '../users/registry.ts'
import { idsOfVersion1, userOfVersion1, type OtherCodes } from './state-v1.ts'
import { together, userFinder } from './user-finder.ts'

/** A value begins with its version times four: so did version 1, whose numbers were written otherwise. */
export const stateVersion = 2
const versionByte = stateVersion * 4

/** Makes a value of the present version from one of an older. */
type Upgrades = Readonly<
  Record<number, { user(value: Uint8Array, otherCodes: OtherCodes): Uint8Array; ids(value: Uint8Array): Uint8Array }>
>
const upgrades: Upgrades = { 1: { user: userOfVersion1, ids: idsOfVersion1 } }

// A user's second byte: the rung, and what is there.
const RUNG = 7
const REGISTERED = 8
const PURCHASED = 16
const PENDING = 32
const WAITING = 64

/** The parts of a partition that state.ts reads and fills. */
export type PartitionState = {
  clock: number
  readonly users: UserRegistry
  readonly windows: RollingWindows
  readonly lives: Lifetimes
  readonly tastes: Affinities
  readonly schedule: EmissionSchedule
  readonly recentIds: SeenIds
  readonly lastingIds: SeenIds
  /** Its marks are kept by marks-state.ts. */
  readonly kpis: Pick<KpiDeltas, 'marks' | 'cells'>
  readonly decayRows: boolean
  /** The code of `other` in each list; in a value it is 0. */
  readonly otherCodes: OtherCodes
  /** Does a user of this murmur2 belong to the partition? */
  belongs(hash: number): boolean
  rung(slot: number): number
  /** Of a user who had none: one just made known, or cleared. */
  setRung(slot: number, rung: number): void
  /** Takes all that is kept of a user away, but the ids; nothing may be scheduled for them yet. */
  clear(slot: number): void
  setNextDue(): void
  /** Slots whose state changed since `clearChanged`. Borrowed. */
  changed(): Int32Array
  clearChanged(): void
  markChanged(slot: number): void
}

/** Writes users' values. One writer serves many users. */
export function userStateWriter(state: PartitionState): (slot: number) => Uint8Array {
  const { schedule, lives, tastes, windows } = state
  const to = byteWriter()
  return (slot) => {
    const pendingAt = schedule.pendingAt(slot)
    const waitingAt = schedule.waitingAt(slot)
    const lastSeen = lives.lastSeenAt(slot)
    const registered = !Number.isNaN(lives.registeredAt(slot))
    room(to, 24)
    to.bytes[to.at++] = versionByte
    to.bytes[to.at++] =
      state.rung(slot) |
      (registered ? REGISTERED : 0) |
      (lives.purchases(slot) > 0 ? PURCHASED : 0) |
      (pendingAt > 0 ? PENDING : 0) |
      (waitingAt > 0 ? WAITING : 0)
    lives.write(slot, to)
    room(to, 24)
    if (pendingAt > 0) putInt(to, pendingAt - lastSeen)
    if (waitingAt > 0) putInt(to, waitingAt - lastSeen)
    tastes.write(slot, to, lastSeen)
    windows.write(slot, to, lastSeen)
    return taken(to)
  }
}

/**
 * Puts users' values back, in the order in which they were written: a later one replaces an earlier one whole. What needs the
 * clock waits for `done`, since only the end of a changelog tells it.
 */
export function userStateReader(state: PartitionState) {
  const from: ByteReader = { bytes: new Uint8Array(0), at: 0 }
  let pendingAts = new Float64Array(1024)
  let waitingAts = new Float64Array(1024)
  let capacity = 1024
  const hashes = new Int32Array(together)
  let touched = 0 // or nothing would be read that nobody asks for
  // Users that are looked up together: where what follows the id begins, and its count.
  const finder = userFinder(state.users)
  const pairs = new Int32Array(together * 2)

  function planDecay(slot: number, waitingAt: number): void {
    if (waitingAt > state.clock) return state.schedule.restoreWaiting(slot, waitingAt)
    // The value may be older than the clock: rows that fired since are passed over, as the run that wrote it fired them.
    for (;;) {
      const leaveAt = state.windows.nextLeave(slot)
      if (leaveAt > state.clock) return state.schedule.planDecay(slot, leaveAt)
      const dueAt = state.schedule.decayDueAt(slot, leaveAt)
      if (dueAt > state.clock) return state.schedule.restoreWaiting(slot, dueAt)
      state.windows.slide(slot, dueAt)
    }
  }

  function reserve(users: number): void {
    capacity = users
    state.users.reserve(users)
    pendingAts = grown(pendingAts, users)
    waitingAts = grown(waitingAts, users)
  }

  return {
    /**
     * So many values follow, after which those that came are one in `part` of all: room for the users whom that lets expect is made in
     * few steps, for every step copies all that is there. The more have come, the further they tell.
     */
    expect(values: number, part: number): void {
      const users = state.users.count()
      if (users + values <= capacity) return
      reserve(Math.ceil(Math.max(users + values, users * Math.min(part * 1.02, users / 1024))))
    },
    /** Makes ready for `slotFor` of these keys. */
    warm(keys: readonly (Uint8Array | null)[], from: number, count: number, idStart: number): void {
      let n = 0
      for (let i = from; i < from + count; i++) {
        const key = keys[i]!
        if (key !== null && key.length > idStart) hashes[n++] = murmur2(key, idStart)
      }
      touched ^= state.users.warm(hashes, n)
    },
    /** Slot of the user whose id is the rest of `key` from `idStart`, who is made known if need be; −1: of another partition. */
    slotFor(key: Uint8Array, idStart: number): number {
      const length = key.length - idStart
      const hash = murmur2(key, idStart, length)
      return state.belongs(hash) ? state.users.intern(key, idStart, length, hash) : -1
    },
    /** Puts the user of a slot that is clear back. Throws a RangeError where the value is broken or of an unknown version. */
    put(slot: number, value: Uint8Array): void {
      const current = open(value, from)
      if (!current) from.bytes = upgradeOf(value).user(value, state.otherCodes)
      if (slot >= capacity) reserve(slot * 2)
      const flags = from.bytes[from.at++]!
      if (!((flags & RUNG) < tiers.length)) throw new RangeError(`it says rung ${flags & RUNG} of ${tiers.length}: it is broken`)
      state.setRung(slot, flags & RUNG)
      const lastSeen = state.lives.read(slot, from, (flags & REGISTERED) !== 0, (flags & PURCHASED) !== 0)
      pendingAts[slot] = (flags & PENDING) === 0 ? 0 : lastSeen + takeInt(from)
      waitingAts[slot] = (flags & WAITING) === 0 ? 0 : lastSeen + takeInt(from)
      state.tastes.read(slot, from, lastSeen)
      state.windows.read(slot, from, lastSeen)
      checkEnd(from)
      if (from.at < from.bytes.length) throw new RangeError(`${from.bytes.length - from.at} bytes follow its end: it is broken`)
      // Not for long is there more than one version in a changelog: what an older one wrote is written anew.
      if (!current) state.markChanged(slot)
    },
    /** Slot of the user who was put already, or −1. */
    slotOf(key: Uint8Array, idStart: number): number {
      const length = key.length - idStart
      return state.users.find(key, idStart, length, murmur2(key, idStart, length))
    },
    /** The user was erased after all that was put so far. */
    remove(slot: number): void {
      state.clear(slot)
      state.users.forget(slot)
      pendingAts[slot] = 0
      waitingAts[slot] = 0
    },
    /**
     * Puts a generation's ids back, after the last user; generations must come in the order of their hours. Ids of users who are not there
     * are passed over: they were erased, or belong to another partition.
     */
    putIds({ lasting, hour, ids: value }: IdGeneration): void {
      const ids = lasting ? state.lastingIds : state.recentIds
      ids.advance(hour)
      let runs = 0
      const putRuns = (bytes: Uint8Array) => {
        finder.find(bytes, runs)
        for (let run = 0; run < runs; run++) {
          const slot = finder.slots[run]!
          if (slot >= 0) ids.restore(slot, bytes, pairs[run * 2]!, pairs[run * 2 + 1]!)
        }
        runs = 0
      }
      const bytes = eachOwner(value, (from, idAt, idLength, pairsAt, count) => {
        finder.starts[runs] = idAt
        finder.lengths[runs] = idLength
        pairs[runs * 2] = pairsAt
        pairs[runs * 2 + 1] = count
        if (++runs === together) putRuns(from)
      })
      putRuns(bytes)
    },
    /** After the last value and the last generation of ids: the clock of the checkpoint that wrote them. */
    done(clock: number): void {
      state.clock = clock
      const users = state.users.count()
      for (let slot = 0; slot < users; slot++) {
        if (pendingAts[slot]! > clock) state.schedule.arrived(slot, clock)
        if (state.decayRows) planDecay(slot, waitingAts[slot]!)
      }
      for (const ids of [state.recentIds, state.lastingIds]) {
        ids.advance(Math.floor(clock / 3_600_000))
        ids.endRestore()
      }
      state.schedule.endRestore()
      state.setNextDue()
    },
  }
}

export type UserStateReader = ReturnType<typeof userStateReader>

/** Sets `from` behind the version of a value; false where that is not the present one. */
function open(value: Uint8Array, from: ByteReader): boolean {
  from.bytes = value
  from.at = 1
  return value[0] === versionByte
}

function upgradeOf(value: Uint8Array): Upgrades[number] {
  if (value.length === 0) throw new RangeError('it is empty: it is broken')
  const version = value[0]! / 4
  const upgrade = upgrades[version]
  if (upgrade !== undefined) return upgrade
  if (!Number.isInteger(version) || version < 1) throw new RangeError(`it begins with byte ${value[0]}, which is no version: it is broken`)
  throw new RangeError(
    `state of version ${version}; this program knows ${stateVersion} and older: run the version that wrote it, or a newer one`,
  )
}

/** A value of ids ends once it is larger than this, so that no busy hour and no hot user makes a message that a topic refuses (bytes). */
const generationBytes = 512 * 1024

/**
 * Those of one owner after the other: where the owner's id stands, and the pairs of halves. Throws a RangeError where the value is broken.
 * Returns the bytes that it told of: the value, or what an older one comes to.
 */
export function eachOwner(
  value: Uint8Array,
  each: (bytes: Uint8Array, idAt: number, idLength: number, pairsAt: number, count: number) => void,
): Uint8Array {
  const from: ByteReader = { bytes: value, at: 1 }
  if (!open(value, from)) from.bytes = upgradeOf(value).ids(value)
  const { bytes } = from
  while (from.at < bytes.length) {
    const idLength = takeUint(from)
    checkCount(from, idLength)
    const idAt = from.at
    from.at += idLength
    const count = takeUint(from)
    checkCount(from, count * 8)
    each(bytes, idAt, idLength, from.at, count)
    from.at += count * 8
  }
  return bytes
}

export type IdGeneration = { hour: number; lasting: boolean; ids: Uint8Array }

/**
 * The ids accepted since the last call, by hour, each hour in as many values as its size asks for: for each flush the length and
 * bytes of the user's id, a count, and that many pairs of 32-bit halves.
 */
export function takeNewIds(state: Pick<PartitionState, 'users' | 'recentIds' | 'lastingIds'>): IdGeneration[] {
  const generations: IdGeneration[] = []
  const to = byteWriter()
  for (const lasting of [false, true]) {
    let hourNow = NaN
    const take = () => {
      if (to.at > to.start) generations.push({ hour: hourNow, lasting, ids: taken(to) })
    }
    ;(lasting ? state.lastingIds : state.recentIds).drainNew((hour, slot, entries, from, count) => {
      if (hour !== hourNow || to.at - to.start > generationBytes) take()
      hourNow = hour
      const idLength = state.users.idLength(slot)
      room(to, 17 + idLength + count * 8)
      if (to.at === to.start) to.bytes[to.at++] = versionByte
      putUint(to, idLength)
      putBytes(to, state.users.ids(), state.users.idStart(slot), idLength)
      putUint(to, count)
      for (let i = 0, entry = from; i < count; i++, entry += 3) {
        putInt32(to, entries[entry + 1]!)
        putInt32(to, entries[entry + 2]!)
      }
    })
    take()
  }
  return generations
}

/** A generation's ids by where `placeOf` puts their user (of that murmur2), each place's a value of its own; undefined: left out. */
export function splitIds(ids: Uint8Array, placeOf: (hash: number) => number | undefined): Map<number, Uint8Array> {
  const places = new Map<number, ByteWriter>()
  eachOwner(ids, (bytes, idAt, idLength, pairsAt, count) => {
    const place = placeOf(murmur2(bytes, idAt, idLength))
    if (place === undefined) return
    let to = places.get(place)
    if (to === undefined) places.set(place, (to = byteWriter()))
    room(to, 17 + idLength + count * 8)
    if (to.at === to.start) to.bytes[to.at++] = versionByte
    putUint(to, idLength)
    putBytes(to, bytes, idAt, idLength)
    putUint(to, count)
    putBytes(to, bytes, pairsAt, count * 8)
  })
  return new Map([...places].map(([place, to]) => [place, taken(to)]))
}
