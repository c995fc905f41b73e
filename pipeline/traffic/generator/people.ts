// Who the simulated people are: nothing is stored, every property follows from (seed, person).
// A person ≥ 0 is the registrant of that number, in the order of registration; a person < 0 never registers.
import {
  activityDegrees, appVersionWeights, buyers, channelWeights, device, experiments, followedUsers, platformWeights, regionWeights,
} from './marginals.ts' // prettier-ignore
import { hash, logEven, picker, tabulated, unit, weightsOf } from './random.ts'

export type People = {
  /** How likely a registered person is the one whose session begins, in [0, 1]; near 0 while they have lapsed. */
  presence(person: number, atMs: number): number
  /** Index into `platformWeights`; the others likewise. */
  platform(person: number, second: boolean): number
  appVersion(person: number, second: boolean): number
  channel(person: number): number
  region(person: number): number
  experiments(person: number): number
  /** Index into `buyers`. */
  buyer(person: number): number
  /** What they tend to pay at a time (fen). */
  usualAmountMinor(person: number): number
  hasSecondDevice(person: number): boolean
  /** How far the device's clock is ahead (ms); mostly 0. */
  clockErrorMs(person: number, second: boolean): number
  /** 32 bits each of the device's id. */
  deviceHigh(person: number, second: boolean): number
  deviceLow(person: number, second: boolean): number
  /** In [-1, 1): how much likelier they watch to the end. */
  patience(person: number): number
  /** In [0, 1): for the pick of one of two favourite categories. */
  favourite(person: number, second: boolean): number
}

/** The person who makes more traffic than any other; never lapses. */
export const hotPerson = 0

const dayMs = 86_400_000
const lapsedPresence = 0.01
// Salts of the properties, apart from one another.
const salt = {
  degree: 1, spread: 2, cycle: 3, phase: 4, away: 5, platform: 6, version: 7, channel: 8, region: 9, experiments: 10, buyer: 11, amount: 12,
  second: 13, clock: 14, clockSize: 15, deviceHigh: 16, deviceLow: 17, patience: 18, favourite: 19,
} // prettier-ignore
/** Added to a salt for the second device. */
const secondDevice = 40

export function people(seed: number): People {
  const of = (person: number, what: number) => hash(seed, person, what)
  const at = (person: number, what: number) => unit(hash(seed, person, what))
  const followed = tabulated(followedUsers)
  const pickDegree = picker(activityDegrees.map((one) => one.share))
  const pickPlatform = picker(weightsOf(platformWeights))
  const pickVersion = picker(weightsOf(appVersionWeights))
  const pickChannel = picker(weightsOf(channelWeights))
  const pickRegion = picker(weightsOf(regionWeights))
  const pickExperiments = picker(weightsOf(experiments))
  const pickBuyer = picker(buyers.map((one) => one.share))
  const often = buyers.findIndex((one) => one.kind === 'often')
  const buyer = (person: number) => (person === hotPerson ? often : pickBuyer(at(person, salt.buyer)))

  return {
    presence(person, atMs) {
      if (person === hotPerson) return 1
      const visits = activityDegrees[pickDegree(at(person, salt.degree))]!.visits
      // Who follows more comes more often: half the median's visits at none, the most at a thousand and above.
      const spread = Math.min(1, 0.4 + 0.0866 * Math.log(followed(at(person, salt.spread))))
      const cycleMs = (15 + 105 * at(person, salt.cycle)) * dayMs
      const phase = (atMs / cycleMs + at(person, salt.phase)) % 1
      const away = 0.65 * at(person, salt.away)
      return visits * spread * (phase < away ? lapsedPresence : 1)
    },
    platform: (person, second) => pickPlatform(at(person, second ? salt.platform + secondDevice : salt.platform)),
    appVersion: (person, second) => pickVersion(at(person, second ? salt.version + secondDevice : salt.version)),
    channel: (person) => pickChannel(at(person, salt.channel)),
    region: (person) => pickRegion(at(person, salt.region)),
    experiments: (person) => pickExperiments(at(person, salt.experiments)),
    buyer,
    usualAmountMinor(person) {
      const { medianMinor, spread } = buyers[buyer(person)]!
      // The logistic distribution, close to a normal one and cheap to turn around.
      const share = 0.001 + 0.998 * at(person, salt.amount)
      return medianMinor * Math.exp(spread * 0.55 * Math.log(share / (1 - share)))
    },
    hasSecondDevice: (person) => at(person, salt.second) < device.secondDeviceShare,
    clockErrorMs(person, second) {
      const shift = second ? secondDevice : 0
      const drawn = at(person, salt.clock + shift)
      if (drawn >= device.wrongClockShare || person === hotPerson) return 0
      const size = Math.round(logEven(device.wrongClockMs[0], device.wrongClockMs[1], at(person, salt.clockSize + shift)))
      return drawn < device.wrongClockShare / 2 ? -size : size
    },
    deviceHigh: (person, second) => of(person, second ? salt.deviceHigh + secondDevice : salt.deviceHigh),
    deviceLow: (person, second) => of(person, second ? salt.deviceLow + secondDevice : salt.deviceLow),
    patience: (person) => at(person, salt.patience) * 2 - 1,
    favourite: (person, second) => at(person, second ? salt.favourite + secondDevice : salt.favourite),
  }
}
