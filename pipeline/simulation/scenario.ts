// What a seed draws: how much of what goes wrong in its run, and how small blocks and parts are.
import type { Limits } from '../roles/process/run-blocks.ts'
import type { Chance } from './chance.ts'

export type Scenario = {
  startMs: number
  durationMs: number
  partitions: number
  members: number
  users: number
  /** Mean time between flushes (ms). */
  everyMs: number
  blockSpanMs: number
  checkpointMs: number
  limits: Limits
  /** Blocks whose tokens a table remembers. */
  windowBlocks: number
  /** Probability that a call fails in one of the ways of world.ts. */
  logFaults: number
  storeFaults: number
  /** Probability that the server dies inside an insert, with the token kept and the part lost. */
  storeDeaths: number
  /** How often a member hears late of the partitions that it gained and lost. */
  slowTidings: number
  /** Mean time between (ms); Infinity: never. */
  every: Record<'kill' | 'pause' | 'cleanStop' | 'longNight' | 'compaction' | 'merge' | 'storeOutage' | 'brokerClock', number>
}

/** 20 s before a month begins in the default zone; and an afternoon. */
const starts = [Date.UTC(2026, 9, 31, 15, 59, 40), Date.UTC(2026, 5, 15, 8)]

export function drawScenario(draw: Chance): Scenario {
  const sometimes = (probability: number, from: number, to: number) => (draw.is(probability) ? draw.between(from, to) : Infinity)
  return {
    startMs: draw.one(starts),
    durationMs: draw.between(8_000, 30_000),
    partitions: draw.between(1, 4),
    members: draw.between(1, 4),
    users: draw.between(2, 14),
    everyMs: draw.one([60, 150, 400]),
    blockSpanMs: draw.one([400, 1_000, 3_000]),
    checkpointMs: draw.one([100, 1_500, 6_000]),
    limits: {
      blockEvents: draw.one([4, 15, 60, 1_000]),
      blockBytes: draw.one([2_000, 1_000_000]),
      partRows: draw.one([2, 5, 1_000]),
      partBytes: draw.one([600, 1_000_000]),
    },
    windowBlocks: 1_000,
    logFaults: draw.one([0, 0, 0.003, 0.02]),
    slowTidings: draw.one([0.05, 0.3, 0.8]),
    storeDeaths: draw.one([0, 0, 0.01, 0.05]),
    storeFaults: draw.one([0, 0.02, 0.15]),
    every: {
      kill: sometimes(0.7, 2_000, 15_000),
      pause: sometimes(0.5, 3_000, 15_000),
      cleanStop: sometimes(0.4, 5_000, 20_000),
      longNight: sometimes(0.3, 8_000, 30_000),
      compaction: sometimes(0.7, 1_000, 10_000),
      merge: sometimes(0.5, 300, 2_000),
      storeOutage: sometimes(0.4, 8_000, 25_000),
      brokerClock: sometimes(0.5, 4_000, 25_000),
    },
  }
}
