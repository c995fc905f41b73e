// All chance of a simulated run, from its seed.
import { foldSeed, stream } from '../traffic/generator/random.ts'

export type Chance = {
  /** In [0, 1). */
  unit(): number
  /** A whole number in [from, to). */
  between(from: number, to: number): number
  /** True with this probability. */
  is(probability: number): boolean
  one<T>(of: readonly T[]): T
  /** A version 4 UUID. */
  uuid(): string
}

/** `salt`: several streams of one seed, so that drawing more from one does not change another. */
export function chance(seed: number, salt: number): Chance {
  const { start, unit, bits } = stream()
  start(foldSeed(seed), salt)
  const between = (from: number, to: number) => from + Math.floor(unit() * (to - from))
  return {
    unit,
    between,
    is: (probability) => unit() < probability,
    one: (of) => of[between(0, of.length)]!,
    uuid() {
      const hex = Array.from({ length: 4 }, () => (bits() >>> 0).toString(16).padStart(8, '0')).join('')
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
    },
  }
}
