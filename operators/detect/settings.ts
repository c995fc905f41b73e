// Every setting of the detection of drops, and why it is what it is. They hold for all KPIs and series alike.

/** Weeks whose same minute (hour, day) the baseline is the median of. */
export const baselineWeeks = 4
/** With fewer of them the same time of day is taken: the median of two is the mean, and one bad hour spoils it. */
export const leastWeeks = 3
/** Days whose same time of day is taken while the weeks are missing, and the fewest that will do. */
export const baselineDays = 14
export const leastDays = 3

/** The level is held in these, so that what lasts does not become normal. */
export const levelBounds = [0.8, 1.25] as const

/**
 * Standard deviations by which a bucket must be off. They are measured on the track's own past and by its tail: the larger
 * of what its middle half says and what the worst 4 % of that side say. So 2.6 of a heavy tail are more than 2.6 of a normal one.
 */
export const significantZ = 2.6
/** Share of the past that is beyond the tail's quantile, and how many standard deviations that is of a normal distribution. */
export const tailShare = 0.04
export const tailZ = 1.751
/** Interquartile range of a normal distribution in standard deviations. */
export const quartilesZ = 1.349
/**
 * Of an alert so many buckets, from its first, count among what the scatter is taken from, at most the tail's share of that: to be off for
 * a while now and then is how a KPI scatters. What lasts longer is not.
 */
export const outlierBuckets = 12
/** A figure without a denominator that is no farther off than this is as usual: it ends an alert too. */
export const usualZ = 1.25
/** Of a share, in deviations of chance, while too little is known of its past: few scatter as little as chance alone. */
export const unknownDeviation = 1.5
/** Least standard deviation, relative, of figures whose scatter only their past tells: a past without any scatter proves little. */
export const leastDeviation = 0.01
/**
 * Counts are compared as ln(count + offset), offset = this × the mean of the last weeks: nearly linear up to that, so that quiet hours do
 * not weigh as much as busy ones, and flat beyond, so that one outlier does not set the measure for weeks.
 */
export const offsetMeans = 3

/** Of all alerts that begin, at most this share is to be chance (Benjamini–Hochberg, over all that is tested in a bucket). */
export const falseDiscoveryRate = 0.05

/** Of the baseline at firing, of a KPI with a threshold of 15 %; where less is allowed it must come back as much nearer. */
export const recoveredShareOf = ({ threshold }: { readonly threshold: number }) => Math.max(0.9, 1 - (threshold * 2) / 3)
export const bucketsToResolve = 3
/** From firing to the root-cause review. */
export const reviewMs = 72 * 3_600_000
