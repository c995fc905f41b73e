// What a run of chaos does, as a pure function of its seed: in each round a moment to wait for, and then one deed. How long the machine
// takes over it is the machine's business, so a seed repeats the deeds and not the instant at which they hit.
import { foldSeed, stream, type Stream } from '../traffic/generator/random.ts'

/** The program is one process member of two (Kafka), or log, engine and process role in one (embedded). */
export type Part = 'member 1' | 'member 2' | 'program' | 'engine' | 'broker'

/** `kill`: SIGKILL, and a start after `forMs`. `pause`: SIGSTOP, and SIGCONT after `forMs`. `stop`: SIGTERM, and a start. */
export type Deed = 'kill' | 'pause' | 'stop'

export type Moment =
  /** So long after the load flows again. */
  | { kind: 'random'; waitMs: number }
  /** So long after the program that was started last has joined: it claims its partitions and reads their state, the other one loses some. */
  | { kind: 'start'; waitMs: number }
  /** So long after something was written to the changelog: within a checkpoint's transaction, or just behind it. */
  | { kind: 'checkpoint'; waitMs: number }

export type Round = { moment: Moment; deed: Deed; parts: readonly Part[]; forMs: number }

export type Mode = 'kafka' | 'embedded'

/** Of a member's session in a run (ms). Longer pauses and absences cost it its partitions. */
export const sessionTimeoutMs = 3_000

type Card = { deed: Deed; parts: (chance: Stream) => readonly Part[]; forMs: (chance: Stream) => number; count: number }

const members = ['member 1', 'member 2'] as const
const either = (chance: Stream) => members[Math.floor(chance.unit() * members.length)]!
const between = (low: number, high: number) => (chance: Stream) => Math.round(low + (high - low) * chance.unit())
/** Back at once, or after a while: half and half. */
const shortOrLong = (long: number) => (chance: Stream) => (chance.unit() < 0.5 ? 0 : between(0, long)(chance))

/** The deck that is shuffled and dealt; a new one when it is used up. */
const decks: Readonly<Record<Mode, readonly Card[]>> = {
  kafka: [
    { deed: 'kill', parts: (chance) => [either(chance)], forMs: shortOrLong(1.5 * sessionTimeoutMs), count: 8 },
    { deed: 'kill', parts: () => members, forMs: shortOrLong(1.5 * sessionTimeoutMs), count: 2 },
    { deed: 'kill', parts: (chance) => [either(chance), 'engine'], forMs: shortOrLong(1_000), count: 2 },
    { deed: 'kill', parts: () => ['engine'], forMs: () => 0, count: 1 },
    { deed: 'kill', parts: (chance) => (chance.unit() < 0.5 ? ['broker'] : ['broker', either(chance)]), forMs: shortOrLong(1_000), count: 1 },
    { deed: 'pause', parts: (chance) => [either(chance)], forMs: between(sessionTimeoutMs + 500, 2 * sessionTimeoutMs), count: 3 },
    { deed: 'pause', parts: () => ['engine'], forMs: between(500, 3_000), count: 1 },
    { deed: 'stop', parts: (chance) => [either(chance)], forMs: shortOrLong(1_000), count: 2 },
  ],
  embedded: [
    { deed: 'kill', parts: () => ['program', 'engine'], forMs: shortOrLong(1_000), count: 8 },
    // The engine sees that its parent is gone, and ends while the next program already wants its directory.
    { deed: 'kill', parts: () => ['program'], forMs: shortOrLong(1_000), count: 5 },
    { deed: 'kill', parts: () => ['engine'], forMs: () => 0, count: 3 },
    { deed: 'pause', parts: () => ['engine'], forMs: between(500, 3_000), count: 1 },
    { deed: 'pause', parts: () => ['program', 'engine'], forMs: between(500, 3_000), count: 1 },
    { deed: 'stop', parts: () => ['program'], forMs: shortOrLong(1_000), count: 2 },
  ],
} // prettier-ignore

function drawMoment(chance: Stream): Moment {
  const which = chance.unit()
  if (which < 0.3) return { kind: 'start', waitMs: between(0, 700)(chance) }
  if (which < 0.6) return { kind: 'checkpoint', waitMs: between(0, 40)(chance) }
  return { kind: 'random', waitMs: between(0, 2_500)(chance) }
}

function shuffled<T>(cards: readonly T[], chance: Stream): T[] {
  const left = [...cards]
  return cards.map(() => left.splice(Math.floor(chance.unit() * left.length), 1)[0]!)
}

export function planRounds(seed: number, rounds: number, mode: Mode): Round[] {
  const chance = stream()
  chance.start(foldSeed(seed), mode === 'kafka' ? 1 : 2)
  const deck = decks[mode].flatMap((card) => Array.from({ length: card.count }, () => card))
  let hand: Card[] = []
  return Array.from({ length: rounds }, () => {
    if (hand.length === 0) hand = shuffled(deck, chance)
    const { deed, parts, forMs } = hand.pop()!
    return { moment: drawMoment(chance), deed, parts: parts(chance), forMs: forMs(chance) }
  })
}

const deedWords: Readonly<Record<Deed, string>> = { kill: 'kill -9 of', pause: 'SIGSTOP of', stop: 'SIGTERM to' }

/** One line for people. */
export function describeRound({ moment, deed, parts, forMs }: Round): string {
  const when = { random: '', start: ' after a start', checkpoint: ' after the changelog grew' }[moment.kind]
  return `${moment.waitMs} ms${when}: ${deedWords[deed]} ${parts.join(' and ')}${forMs === 0 ? '' : `, for ${forMs} ms`}`
}
