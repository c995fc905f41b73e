// The catalogue of simulated videos: what each is, and which one is shown next.
import { defaultSettings } from '../../../operators/settings.ts'
import { creatorsPerVideo, followers, tagShares, unlistedCategories, videoDurationS } from './marginals.ts'
import { hash, picker, tabulated, unit } from './random.ts'

export type Videos = {
  readonly count: number
  /** Names by index; null: the app did not say. */
  readonly categories: readonly (string | null)[]
  readonly category: Uint8Array
  readonly durationMs: Int32Array
  readonly creator: Int32Array
  readonly publishedAt: Float64Array
  /** A category by its share, from a number in [0, 1). */
  pickCategory(at: number): number
  /** A video of the category, the better known the likelier, from a number in [0, 1). */
  pick(category: number, at: number): number
}

const dayMs = 86_400_000
const videoCount = 20_000
const withoutCategory = 0.006
const unlistedShare = 0.012
/** The twenty known tags take this much together (a real video may have several, so that their shares add up to more than 1). */
const knownShare = 0.92
const newestFirstDays = 420

/** The same seed makes the same videos; they were published in the 420 days before `beforeMs`. */
export function videos(seed: number, beforeMs: number): Videos {
  const listed = defaultSettings.dimensions.category
  const categories: (string | null)[] = [...listed, ...unlistedCategories, null]
  const known = tagShares.reduce((sum, share) => sum + share, 0)
  const rest = 1 - knownShare - unlistedShare - withoutCategory
  const weights = categories.map((name, index) => {
    if (name === null) return withoutCategory
    if (index >= listed.length) return unlistedShare / unlistedCategories.length
    const tag = tagShares[index]
    return tag === undefined ? rest / (listed.length - tagShares.length) : (tag / known) * knownShare
  })
  const pickCategory = picker(weights)
  const durationS = tabulated(videoDurationS)
  const fame = tabulated({ ...followers, value: followers.value.map((value) => value ** 0.4) })

  const category = new Uint8Array(videoCount)
  const durationMs = new Int32Array(videoCount)
  const creator = new Int32Array(videoCount)
  const publishedAt = new Float64Array(videoCount)
  // Videos stand category by category, so that picking one is a search in a stretch of running weights.
  const starts = new Int32Array(categories.length + 1)
  const upTo = new Float64Array(videoCount)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let video = 0
  let share = 0
  weights.forEach((weight, index) => {
    starts[index] = video
    share += weight
    const end = index === weights.length - 1 ? videoCount : Math.max(video + 1, Math.round((share / total) * videoCount))
    let sum = 0
    for (; video < end; video++) {
      category[video] = index
      durationMs[video] = Math.round(durationS(unit(hash(seed, video, 101))) * 1000)
      creator[video] = Math.floor(unit(hash(seed, video, 102)) * videoCount * creatorsPerVideo)
      publishedAt[video] = Math.floor(beforeMs - unit(hash(seed, video, 103)) * newestFirstDays * dayMs)
      sum += fame(unit(hash(seed, creator[video]!, 104)))
      upTo[video] = sum
    }
  })
  starts[categories.length] = videoCount

  return {
    count: videoCount,
    categories,
    category,
    durationMs,
    creator,
    publishedAt,
    pickCategory,
    pick(index, at) {
      let low = starts[index]!
      let high = starts[index + 1]! - 1
      const wanted = at * upTo[high]!
      while (low < high) {
        const middle = (low + high) >> 1
        if (upTo[middle]! <= wanted) low = middle + 1
        else high = middle
      }
      return low
    },
  }
}
