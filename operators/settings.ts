// What an operator can be told. A change of any of these changes the figures: it is a new operator version's business.

export type OperatorSettings = {
  /** Length of an emission interval (ms). */
  readonly emitMs: number
  /** Rows of idle users when a tile leaves a window. The benchmark switches them off. */
  readonly decayRows: boolean
  /** IANA name; its days and months are those of activity, tiers and KPIs. */
  readonly zone: string
  /** ISO 4217; a purchase in any other is rejected. */
  readonly currency: string
  /** Values that count under their own name; any other counts as `other`, so that no one can blow up state or cells from outside. */
  readonly dimensions: DimensionLists
}

export type DimensionLists = {
  readonly channel: readonly string[]
  readonly region: readonly string[]
  readonly app_version: readonly string[]
  readonly category: readonly string[]
  readonly surface: readonly string[]
}

/** Rises with every change that makes other figures of the same log. */
export const operatorVersion = 2

export const other = 'other'

const provinces = [
  11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82,
]

export const defaultSettings: OperatorSettings = {
  emitMs: 5_000,
  decayRows: true,
  zone: 'Asia/Shanghai',
  currency: 'CNY',
  dimensions: {
    channel: ['organic', 'ad', 'invite', 'kol', 'push', 'store'],
    region: provinces.map((code) => `CN-${code}`),
    app_version: ['8.0.0', '8.1.0', '8.2.0', '8.3.0', '8.4.0', '8.4.1', '8.5.0', '8.6.0'],
    category: [
      'music', 'dance', 'comedy', 'food', 'travel', 'sports', 'games', 'beauty', 'fashion', 'pets', 'education', 'technology',
      'cars', 'family', 'health', 'news', 'film', 'art', 'outdoors', 'home', 'shopping', 'finance', 'science', 'anime',
    ],
    surface: ['feed', 'search', 'profile', 'live', 'push', 'follow', 'shop'],
  },
} // prettier-ignore
