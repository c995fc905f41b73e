// What simulated people and videos are like: shares and quantiles, as data.
//
// Source of the figures marked (K): marginals of real Kuaishou users and videos, computed from the KuaiRand-Pure features
// (27,285 users, 7,583 videos; https://kuairand.com). Shares and quantiles only; no row of the data set is here.
// The others are chosen, so that the KPIs come out near the catalogue's targets.

/** A distribution, by the values at some of its shares (ascending). In between: straight lines, of logarithms where `log`. */
export type Quantiles = { readonly share: readonly number[]; readonly value: readonly number[]; readonly log: boolean }

/** (K) Length of a video, in seconds. The ends (share 0 and 1) are ours. */
export const videoDurationS: Quantiles = {
  share: [0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1],
  value: [5, 7.4, 10.7, 14.6, 32, 81.2, 148.3, 237.9, 303.5, 510.1, 900],
  log: true,
}

/** (K) How many others a user follows. The ends are ours; 1 stands for none, too. */
export const followedUsers: Quantiles = {
  share: [0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1],
  value: [1, 1, 7, 16, 50, 155, 430, 1021, 1744, 4129, 8000],
  log: true,
}

/** (K) A creator's followers: the more, the likelier that their video is shown. The ends are ours. */
export const followers: Quantiles = {
  share: [0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1],
  value: [1, 1, 2, 10, 48, 221, 660, 1159, 4379, 20_000],
  log: true,
}

/** (K) Degrees of activity (shares; `unknown`, `30day_retention` and new ones folded in), and how often each comes, against the most active (ours). */
export const activityDegrees = [
  { degree: 'full_active', share: 0.6587, visits: 1 },
  { degree: 'high_active', share: 0.2259, visits: 0.4 },
  { degree: 'middle_active', share: 0.0782, visits: 0.15 },
  { degree: 'new', share: 0.0237, visits: 0.3 },
  { degree: 'low_active', share: 0.011, visits: 0.05 },
  { degree: 'single_low_active', share: 0.0025, visits: 0.02 },
] as const

/** (K) Creators per video, and the shares of videos that have each of the twenty largest tags. */
export const creatorsPerVideo = 6510 / 7583
export const tagShares = [
  0.1907, 0.0965, 0.089, 0.0799, 0.0645, 0.0564, 0.0564, 0.0553, 0.0527, 0.0505,
  0.039, 0.0335, 0.0323, 0.029, 0.0272, 0.0239, 0.0233, 0.0233, 0.0191, 0.019,
] as const // prettier-ignore

export type Weighted<T> = readonly (readonly [value: T, weight: number])[]

/** Tags that are not in the configured list, as a real app always has some. */
export const unlistedCategories = ['astrology', 'parenting', 'calligraphy'] as const

export const platformWeights: Weighted<'android' | 'ios' | 'web' | 'mini_program' | 'server'> = [
  ['android', 55],
  ['ios', 29],
  ['mini_program', 10],
  ['web', 5.5],
  ['server', 0.5],
]
export const channelWeights: Weighted<string> = [
  ['organic', 42],
  ['ad', 22],
  ['invite', 13],
  ['kol', 10],
  ['push', 5],
  ['store', 7],
  ['preload', 1],
]
/** Chinese provinces, roughly by population, and a few that the list does not know. */
export const regionWeights: Weighted<string> = [
  ['CN-44', 126], ['CN-37', 101], ['CN-41', 99], ['CN-32', 85], ['CN-51', 84], ['CN-13', 75], ['CN-43', 66], ['CN-33', 65],
  ['CN-34', 61], ['CN-42', 58], ['CN-45', 50], ['CN-53', 47], ['CN-36', 45], ['CN-21', 43], ['CN-35', 42], ['CN-61', 40],
  ['CN-52', 39], ['CN-14', 35], ['CN-50', 32], ['CN-23', 32], ['CN-65', 26], ['CN-31', 25], ['CN-62', 25], ['CN-22', 24],
  ['CN-15', 24], ['CN-11', 22], ['CN-12', 14], ['CN-46', 10], ['CN-64', 7], ['CN-63', 6], ['CN-54', 4], ['CN-82', 1], ['US-CA', 4], ['SG-01', 3],
] // prettier-ignore
export const appVersionWeights: Weighted<string> = [
  ['8.6.0', 41],
  ['8.5.0', 24],
  ['8.4.1', 13],
  ['8.4.0', 6],
  ['8.3.0', 6],
  ['8.2.0', 4],
  ['8.1.0', 3],
  ['8.0.0', 2],
  ['7.9.3', 0.7],
  ['8.7.0-beta', 0.3],
]
/** Surfaces of a session. */
export const surfaceWeights: Weighted<string> = [
  ['feed', 74],
  ['follow', 9],
  ['search', 6],
  ['profile', 4],
  ['live', 3],
  ['push', 2],
  ['shop', 1.8],
  ['kiosk', 0.2],
]
/** Experiments that run, with their variants. */
export const experiments: Weighted<readonly (readonly [key: string, variant: string])[]> = [
  [[['feed_rank', 'control'], ['cover_style', 'still']], 30],
  [[['feed_rank', 'fresh'], ['cover_style', 'still']], 25],
  [[['feed_rank', 'fresh'], ['cover_style', 'motion']], 20],
  [[['feed_rank', 'control']], 15],
  [[], 10],
] // prettier-ignore
export const queries: Weighted<string> = [
  ['猫咪', 8], ['广场舞教学', 7], ['红烧肉做法', 6], ['周末 露营', 4], ['篮球 集锦', 5], ['钢琴', 3], ['手机 评测', 4], ['latte art', 2],
  ['street dance', 2], ['英语口语', 3], ['减脂餐', 4], ['旅行 云南', 4], ['口红试色', 3], ['考研 数学', 2], ['搞笑 🐶', 3], ['diy home', 1],
] // prettier-ignore

/** What people do, by chance. Shares of impressions, of plays, or of sessions. */
export const behavior = {
  /** A card in the feed plays by itself, unless it is passed at once. */
  playPerImpression: 0.93,
  clickPerImpression: 0.0188,
  /** At a video of the median length; shorter ones are finished more often, longer ones less (per factor e of length). */
  completePerPlay: 0.43,
  completeSlope: 0.11,
  likePerPlay: 0.042,
  commentPerPlay: 0.0095,
  sharePerPlay: 0.0095,
  followPerPlay: 0.004,
  /** Who finished a video reacts this much more often; who did not, so much less that the mean stays. */
  reactionIfComplete: 1.5,
  searchPerSession: 0.12,
  /** Cards in a session, on average (geometric, at least one, at most 80). */
  cardsPerSession: 5.2,
} as const

/** How often people of a kind buy in a session, and what they pay at a time (fen; median of the kind, spread of logarithms). */
export const buyers = [
  { kind: 'never', share: 0.48, perSession: 0, medianMinor: 0, spread: 0 },
  { kind: 'now_and_then', share: 0.36, perSession: 0.2, medianMinor: 4_900, spread: 0.9 },
  { kind: 'often', share: 0.13, perSession: 0.5, medianMinor: 12_900, spread: 0.9 },
  { kind: 'collector', share: 0.03, perSession: 0.65, medianMinor: 39_900, spread: 0.8 },
] as const

/** What devices and networks do, by chance. */
export const device = {
  /** Devices whose clock is wrong, and by how much (ms; logarithm even, either sign). */
  wrongClockShare: 0.03,
  wrongClockMs: [60_000, 86_400_000],
  /** Registered users who use a second device. */
  secondDeviceShare: 0.12,
  /** Sessions without a network, and how long until there is one again (ms; logarithm even). */
  offlineShare: 0.012,
  offlineMs: [120_000, 3 * 86_400_000],
  /** Flushes sent again although they had arrived: most at once with the same bytes, some later (ms), with a new sent_at. */
  retryShare: 0.02,
  retryAtOnceShare: 0.6,
  retryAtOnceMs: [300, 4_000],
  retryLateMs: [60_000, 18 * 3_600_000],
} as const

/** Mean of each local hour against the day's (0 h to 23 h): a trough at four, lunch, and the evening. */
export const hourlyRhythm = [
  0.72, 0.42, 0.26, 0.18, 0.15, 0.2, 0.42, 0.72, 0.92, 0.98, 1.02, 1.15,
  1.38, 1.3, 1.08, 1.02, 1.05, 1.15, 1.32, 1.55, 1.72, 1.8, 1.62, 1.17,
] as const // prettier-ignore
