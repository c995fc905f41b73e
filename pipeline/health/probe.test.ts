import { expect, test } from 'vitest'
import { soon } from '../testing/soon.ts'
import { probe } from './probe.ts'

/** A neighbour that answers when it is told to, and a clock that goes when it is told to. */
function neighbour() {
  let at = 1_000
  let asked = 0
  const waiting: { answer(): void; fail(error: Error): void }[] = []
  return {
    go: (ms: number) => void (at += ms),
    asked: () => asked,
    /** Answers whoever waits. */
    answer: () => waiting.splice(0).forEach(({ answer }) => answer()),
    fail: (text: string) => waiting.splice(0).forEach(({ fail }) => fail(new Error(text))),
    probe: (patienceMs = 20) =>
      probe({
        name: 'store',
        now: () => at,
        patienceMs,
        ask: () =>
          new Promise<string>((resolve, reject) => {
            asked++
            waiting.push({ answer: () => resolve('there'), fail: reject })
          }),
      }),
  }
}

test('many who look at once ask one question, and the answer holds for a second', async () => {
  const { probe, answer, asked, go } = neighbour()
  const { look } = probe(10_000)
  const looks = Promise.all([look(), look(), look()])
  answer()
  expect(await looks).toEqual(Array.from({ length: 3 }, () => ({ name: 'store', answers: true, since: 1_000, value: 'there' })))
  go(900)
  expect((await look()).answers).toBe(true)
  expect(asked()).toBe(1)
  go(200)
  const next = look()
  answer()
  expect(await next).toMatchObject({ answers: true, since: 1_000 })
  expect(asked()).toBe(2)
})

test('a neighbour that never answers is away after a while, is not asked again meanwhile, and is there once it answers', async () => {
  const { probe, answer, asked, go } = neighbour()
  const { look } = probe()
  setTimeout(() => go(20), 0)
  expect(await look()).toMatchObject({ answers: false, error: 'no answer for 0 s' })
  go(60_000)
  expect(await look()).toMatchObject({ answers: false, error: 'no answer for 60 s', since: 1_020 })
  expect(asked()).toBe(1)
  answer()
  await soon(async () => (await look()).answers).toBe(true)
  expect(asked()).toBe(1)
})

test('a neighbour that fails says why, and since when', async () => {
  const { probe, answer, fail, go } = neighbour()
  const { look } = probe(10_000)
  const first = look()
  answer()
  await first
  go(5_000)
  for (let i = 0; i < 2; i++) {
    const next = look()
    fail('connect ECONNREFUSED')
    expect(await next).toMatchObject({ answers: false, since: 6_000, error: 'connect ECONNREFUSED', value: 'there' })
    go(5_000)
  }
})
