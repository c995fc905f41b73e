// What a block held, for whoever measures: counted while it is filled, told once the store has all of it.

export type BlockFacts = {
  readonly events: number
  readonly rows: number
  readonly bytes: number
  /** Corrected times of the first accepted event of some of its flushes, evenly spread over the block. */
  readonly eventAts: readonly number[]
  /** Records and events that were set aside, by reason. */
  readonly rejected: ReadonlyMap<string, number>
  /** From the first insert's beginning to the last one's acknowledgement. */
  readonly insertMs: number
}

const mostSamples = 512

export type BlockSamples = {
  readonly eventAts: number[]
  readonly rejected: Map<string, number>
  /** The first accepted event of a flush. */
  flush(eventAt: number): void
  reject(reason: string): void
  reset(): void
}

export function blockSamples(): BlockSamples {
  const eventAts: number[] = []
  const rejected = new Map<string, number>()
  let flushes = 0
  let every = 1
  return {
    eventAts,
    rejected,
    flush(eventAt) {
      if (flushes++ % every !== 0) return
      eventAts.push(eventAt)
      if (eventAts.length < mostSamples) return
      // Every second one stays, so that a large block's late flushes count like its early ones.
      for (let i = 0; i < mostSamples / 2; i++) eventAts[i] = eventAts[i * 2]!
      eventAts.length = mostSamples / 2
      every *= 2
    },
    reject: (reason) => void rejected.set(reason, (rejected.get(reason) ?? 0) + 1),
    reset() {
      eventAts.length = 0
      rejected.clear()
      flushes = 0
      every = 1
    },
  }
}
