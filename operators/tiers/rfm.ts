// RFM: recency, frequency and monetary scores from 1 to 5, by fixed bounds.

/** Zone days since the last purchase: at most these score 5, 4, 3, 2. */
export const recencyBounds = [3, 7, 14, 30] as const
/** Purchases of the last 90 days: at least these score 5, 4, 3, 2. */
export const frequencyBounds = [10, 5, 3, 2] as const
/** Spend of the last 90 days, in fen: at least these score 5, 4, 3, 2. */
export const monetaryBounds = [200_000, 100_000, 50_000, 10_000] as const

const atMost = (bounds: readonly number[], value: number) => {
  for (let i = 0; i < bounds.length; i++) if (value <= bounds[i]!) return 5 - i
  return 1
}
const atLeast = (bounds: readonly number[], value: number) => {
  for (let i = 0; i < bounds.length; i++) if (value >= bounds[i]!) return 5 - i
  return 1
}

/** `days`: Infinity where there was no purchase. */
export const recencyScore = (days: number) => atMost(recencyBounds, days)
export const frequencyScore = (purchases: number) => atLeast(frequencyBounds, purchases)
export const monetaryScore = (spendMinor: number) => atLeast(monetaryBounds, spendMinor)
