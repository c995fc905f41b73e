// Quantiles of the last so many buckets, kept in order as they come and go: a bucket costs one shift of a small array, not a sort.

export type SlidingQuantiles = {
  /** The next bucket's figure, NaN where it has none; the oldest leaves. */
  push(figure: number): void
  /** Of how many figures. */
  count(): number
  /** The figure below which the share lies; NaN where there is none. */
  at(share: number): number
  median(): number
}

export function slidingQuantiles(buckets: number): SlidingQuantiles {
  const ring = new Float64Array(buckets).fill(NaN)
  const sorted = new Float64Array(buckets)
  let next = 0
  let count = 0

  /** First place whose figure is not below. */
  function placeOf(figure: number): number {
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >> 1
      if (sorted[middle]! < figure) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    push(figure) {
      // Nothing comes and nothing leaves: where the next one goes to does not matter. Most of a start's history is so.
      if (count === 0 && Number.isNaN(figure)) return
      const oldest = ring[next]!
      if (!Number.isNaN(oldest)) {
        const place = placeOf(oldest)
        sorted.copyWithin(place, place + 1, count--)
      }
      ring[next] = figure
      next = (next + 1) % buckets
      if (Number.isNaN(figure)) return
      const place = placeOf(figure)
      sorted.copyWithin(place + 1, place, count++)
      sorted[place] = figure
    },
    count: () => count,
    at: (share) => (count === 0 ? NaN : sorted[Math.min(count - 1, Math.floor(share * count))]!),
    median: () => (count === 0 ? NaN : (sorted[(count - 1) >> 1]! + sorted[count >> 1]!) / 2),
  }
}
