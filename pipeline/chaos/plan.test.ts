import { expect, test } from 'vitest'
import { describeRound, planRounds, sessionTimeoutMs } from './plan.ts'

test('the same seed gives the same rounds, another seed others, and a longer run begins as a shorter one', () => {
  const rounds = planRounds(7, 60, 'kafka')
  expect(planRounds(7, 60, 'kafka')).toEqual(rounds)
  expect(planRounds(8, 60, 'kafka')).not.toEqual(rounds)
  expect(planRounds(7, 20, 'kafka')).toEqual(rounds.slice(0, 20))
})

test('twenty rounds have every deed: members, engine and broker killed, one paused for longer than its session, a clean stop', () => {
  for (const seed of [1, 2, 3]) {
    const rounds = planRounds(seed, 20, 'kafka')
    const has = (deed: string, part: string) => rounds.some((round) => round.deed === deed && (round.parts as string[]).includes(part))
    for (const part of ['engine', 'broker']) expect(has('kill', part), part).toBe(true)
    expect(rounds.some(({ deed, parts }) => deed === 'kill' && parts.join() === 'member 1,member 2')).toBe(true)
    expect(rounds.some(({ deed }) => deed === 'stop')).toBe(true)
    const paused = rounds.filter(({ deed, parts }) => deed === 'pause' && parts[0]!.startsWith('member'))
    expect(paused.length).toBe(3)
    expect(paused.every(({ forMs }) => forMs > sessionTimeoutMs)).toBe(true)
  }
})

test('the embedded program is killed with its engine, without it, and the engine alone', () => {
  const killed = planRounds(3, 20, 'embedded').flatMap(({ deed, parts }) => (deed === 'kill' ? [parts.join()] : []))
  expect(new Set(killed)).toEqual(new Set(['program,engine', 'program', 'engine']))
})

test('a round is told in a line', () => {
  expect(describeRound({ moment: { kind: 'start', waitMs: 120 }, deed: 'kill', parts: ['member 1', 'engine'], forMs: 800 })).toBe(
    '120 ms after a start: kill -9 of member 1 and engine, for 800 ms',
  )
  expect(describeRound({ moment: { kind: 'random', waitMs: 5 }, deed: 'stop', parts: ['program'], forMs: 0 })).toBe(
    '5 ms: SIGTERM to program',
  )
})
