// A partition's state at rest: one value for each user that changed, and the ids accepted since the last time. Restored
// at a clock, it goes on exactly as if it had never stopped; users that did not change since need no new value.
import { measures } from '../../schemas/measures.ts'
import type { Affinities } from '../affinity/affinity.ts'
import type { SeenIds } from '../dedup/seen-ids.ts'
import type { EmissionSchedule } from '../emission/schedule.ts'
import { murmur2 } from '../hash.ts'
import type { Lifetimes } from '../lifetime/lifetime.ts'
import { AMOUNT_MINOR, COUNTS, WATCH_MS, type RollingWindows } from '../rolling/window.ts'
import { grown, type UserRegistry } from '../users/registry.ts'
import { numberReader, numberWriter } from './numbers.ts'

export const stateVersion = 1

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
  readonly decayRows: boolean
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
}

/** Writes users' values. One writer serves many users; each value is a copy. */
export function userStateWriter(state: PartitionState): (slot: number) => Uint8Array {
  const out = numberWriter()
  const counts: number[] = Array.from({ length: measures.length }, () => 0)
  return (slot) => {
    out.push(stateVersion)
    out.push(state.rung(slot))
    out.push(state.schedule.pendingAt(slot))
    out.push(state.schedule.waitingAt(slot))
    state.lives.write(slot, out.push)
    state.tastes.write(slot, out.push)
    state.windows.eachTile(slot, (window, number, lines, countStart, sums, sumStart) => {
      let present = 0
      for (let m = 0; m < COUNTS; m++) counts[m] = lines[countStart + m]!
      counts[WATCH_MS] = sums[sumStart]!
      counts[AMOUNT_MINOR] = sums[sumStart + 1]!
      for (let m = 0; m < counts.length; m++) if (counts[m] !== 0) present |= 1 << m
      out.push(window)
      out.push(number)
      out.push(present)
      for (let m = 0; m < counts.length; m++) if (counts[m] !== 0) out.push(counts[m]!)
    })
    return out.take()
  }
}

/**
 * Puts users' values back, in the order in which they were written: a later one replaces an earlier one whole. What needs the
 * clock waits for `done`, since only the end of a changelog tells it.
 */
export function userStateReader(state: PartitionState) {
  const counts: number[] = Array.from({ length: measures.length }, () => 0)
  let pendingAts = new Float64Array(1024)
  let waitingAts = new Float64Array(1024)

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

  return {
    /**
     * False where the user belongs to another partition and is passed over: what moves users between partitions leaves the old
     * values behind until it is done. Throws a RangeError where the value is broken or of an unknown version.
     */
    put(userId: Uint8Array, value: Uint8Array): boolean {
      const hash = murmur2(userId)
      if (!state.belongs(hash)) return false
      const from = numberReader(value)
      const version = from.next()
      if (version !== stateVersion)
        throw new RangeError(
          `state of version ${version}; this program knows ${stateVersion}: run the version that wrote it, or a newer one`,
        )
      let slot = state.users.find(userId, 0, userId.length, hash)
      if (slot >= 0) state.clear(slot)
      else slot = state.users.intern(userId, 0, userId.length, hash)
      if (slot >= pendingAts.length) {
        pendingAts = grown(pendingAts, slot * 2)
        waitingAts = grown(waitingAts, slot * 2)
      }
      state.setRung(slot, from.next())
      pendingAts[slot] = from.next()
      waitingAts[slot] = from.next()
      state.lives.read(slot, from.next)
      state.tastes.read(slot, from.next)
      while (!from.ended()) {
        const window = from.next()
        const number = from.next()
        const present = from.next()
        for (let m = 0; m < counts.length; m++) counts[m] = (present & (1 << m)) !== 0 ? from.next() : 0
        state.windows.putTile(slot, window, number, counts, counts[WATCH_MS]!, counts[AMOUNT_MINOR]!)
      }
      return true
    },
    /** The user was erased after all that was put so far. */
    remove(userId: Uint8Array): void {
      const slot = state.users.find(userId, 0, userId.length, murmur2(userId))
      if (slot < 0) return
      state.clear(slot)
      state.users.forget(slot)
      pendingAts[slot] = 0
      waitingAts[slot] = 0
    },
    /**
     * Puts a generation's ids back, after the last user. Generations must come in the order of their hours. Ids of users who are
     * not there are passed over: they were erased, or belong to another partition.
     */
    putIds(generation: IdGeneration): void {
      const ids = generation.lasting ? state.lastingIds : state.recentIds
      ids.advance(generation.hour)
      const from = numberReader(generation.ids)
      const version = from.next()
      if (version !== stateVersion) throw new RangeError(`seen ids of version ${version}; this program knows ${stateVersion}`)
      while (!from.ended()) {
        const userId = from.bytes(from.next())
        const slot = state.users.find(userId, 0, userId.length, murmur2(userId))
        const count = from.next()
        const halves = from.bytes(count * 8)
        if (slot < 0) continue
        const view = new DataView(halves.buffer, halves.byteOffset, halves.byteLength)
        for (let i = 0; i < count; i++) ids.add(slot, view.getInt32(i * 8, true), view.getInt32(i * 8 + 4, true))
      }
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
        ids.drainNew(() => {}) // what was restored is in the changelog already
      }
      state.schedule.endRestore()
      state.setNextDue()
    },
  }
}

/** A value of ids ends once it is larger than this, so that no busy hour and no hot user makes a message that a topic refuses … */
const generationBytes = 512 * 1024
/** … and holds at most so many of one user's at once. */
const idsAtOnce = 32_768

export type IdGeneration = { hour: number; lasting: boolean; ids: Uint8Array }

/**
 * The ids accepted since the last call, by hour, each hour in as many values as its size asks for: for each user the id's
 * length and bytes, a count, and that many pairs of 32-bit halves.
 */
export function takeNewIds(state: PartitionState): IdGeneration[] {
  const generations: IdGeneration[] = []
  for (const lasting of [false, true]) {
    const byHour = new Map<number, Map<number, number[]>>()
    const ids = lasting ? state.lastingIds : state.recentIds
    ids.drainNew((hour, slot, low, high) => {
      let bySlot = byHour.get(hour)
      if (bySlot === undefined) byHour.set(hour, (bySlot = new Map()))
      const halves = bySlot.get(slot)
      if (halves === undefined) bySlot.set(slot, [low, high])
      else halves.push(low, high)
    })
    for (const [hour, bySlot] of byHour) {
      const out = numberWriter()
      const take = () => {
        if (out.length() > 0) generations.push({ hour, lasting, ids: out.take() })
      }
      for (const [slot, halves] of bySlot)
        for (let from = 0; from < halves.length; from += idsAtOnce * 2) {
          if (out.length() > generationBytes) take()
          if (out.length() === 0) out.push(stateVersion)
          const packed = Int32Array.from(halves.slice(from, from + idsAtOnce * 2))
          out.push(state.users.idLength(slot))
          out.bytes(state.users.id(slot))
          out.push(packed.length / 2)
          out.bytes(new Uint8Array(packed.buffer))
        }
      take()
    }
  }
  return generations
}
