import { expect, test } from 'vitest'
import { soon } from '../../testing/soon.ts'
import { openHub, type Answer, type HubOptions } from './hub.ts'
import { tablesOf, type Pulse } from './pulse.ts'

/** A hub whose turns come as fast as they can, over a store whose rows are a number. */
function opened(options: Partial<HubOptions> = {}) {
  const store = { rows: 0, isAway: false, pulses: 0 }
  const pulses: (Pulse | undefined)[] = []
  const hub = openHub({
    clock: { now: () => Date.now() },
    everyMs: 5,
    async pulse() {
      store.pulses++
      if (store.isAway) throw new Error('away')
      return { rows: { a: store.rows, b: 0 }, clockAt: store.rows, leastClockAt: store.rows }
    },
    onPulse: (pulse) => pulses.push(pulse),
    ...options,
  })
  return { hub, store, pulses }
}
const tables = ['a']
const said = (answer: Answer) => (answer.ok ? answer.text : String(answer.error))

test('what 200 watch is asked once, told to all, and asked again only when something has come', async () => {
  const { hub, store } = opened()
  let asked = 0
  const ask = ({ clockAt }: Pulse) => Promise.resolve(`${clockAt}`).finally(() => asked++)
  const heard = Array.from({ length: 200 }, (): string[] => [])
  const leaves = heard.map((one) => hub.watch('a', { tables, ask }, (answer) => one.push(said(answer))))
  await soon(() => heard.every((one) => one.length === 1)).toBe(true)
  expect(asked).toBe(1)
  const turns = store.pulses
  await soon(() => store.pulses).toBeGreaterThan(turns + 10)
  expect(asked).toBe(1)
  store.rows = 7
  await soon(() => heard.every((one) => one.at(-1) === '7')).toBe(true)
  // Once when the row came, and once more for rows of the same block that come after it.
  await soon(() => asked).toBe(3)
  expect(hub.watched()).toBe(1)
  leaves.forEach((leave) => leave())
  hub.close()
})

test('a question that rests is not asked again before, whatever comes, unless a minute is over; once it could not be answered it is', async () => {
  const time = { ms: 1_000 }
  const { hub, store } = opened({ clock: { now: () => time.ms } })
  const [often, seldom]: [string[], string[]] = [[], []]
  let fails = false
  const ask = ({ clockAt }: Pulse) => Promise.resolve(`${clockAt}`)
  hub.watch('often', { tables, ask }, (answer) => often.push(said(answer)))
  const rare = (pulse: Pulse) => (fails ? Promise.reject(new Error('no')) : ask(pulse))
  hub.watch('seldom', { tables, restMs: 5_000, ask: rare }, (answer) => seldom.push(said(answer)))
  await soon(() => [often.at(-1), seldom.at(-1)]).toEqual(['0', '0'])
  store.rows = 1
  await soon(() => often.at(-1)).toBe('1')
  const turns = store.pulses
  await soon(() => store.pulses).toBeGreaterThan(turns + 5)
  expect(seldom).toEqual(['0'])
  time.ms += 5_000
  await soon(() => seldom.at(-1)).toBe('1')
  // Buckets have closed.
  store.rows = 60_000
  await soon(() => seldom.at(-1)).toBe('60000')
  store.rows = 60_001
  await soon(() => often.at(-1)).toBe('60001')
  expect(seldom).toEqual(['0', '1', '60000'])
  time.ms += 5_000
  fails = true
  await soon(() => seldom.at(-1)).toBe('Error: no')
  fails = false
  await soon(() => seldom.at(-1)).toBe('60001')
  hub.close()
})

test('nothing is asked while nobody watches, and who comes later is told at once what is known', async () => {
  const { hub, store } = opened()
  const heard: string[] = []
  const listen = (answer: Answer) => heard.push(said(answer))
  hub.watch('a', { tables, ask: () => Promise.resolve('x') }, listen)()
  const leave = hub.watch('b', { tables, ask: () => Promise.resolve('y') }, listen)
  await soon(() => heard).toEqual(['y'])
  leave()
  await soon(async () => {
    const before = store.pulses
    await new Promise((resolve) => setTimeout(resolve, 100))
    return store.pulses - before
  }).toBe(0)
  hub.watch('b', { tables, ask: () => Promise.resolve('y') }, listen)
  expect(heard).toEqual(['y', 'y'])
  hub.close()
})

test('what comes into other tables is no reason to ask', async () => {
  const { hub, store } = opened()
  let asked = 0
  hub.watch('b', { tables: ['b'], ask: () => Promise.resolve(String(asked++)) }, () => {})
  await soon(() => asked).toBe(1)
  store.rows++
  const turns = store.pulses
  await soon(() => store.pulses).toBeGreaterThan(turns + 10)
  expect(asked).toBe(1)
  hub.close()
})

test('a question reads the tables of its views', () => {
  const views = [{ name: 'users', select: 'SELECT * FROM user_features FINAL' }, { name: 'moves', select: 'SELECT * FROM tier_changes' }] // prettier-ignore
  const names = [{ name: 'user_features' }, { name: 'tier_changes' }, { name: 'events' }]
  expect(tablesOf('SELECT count() FROM users', views, names)).toEqual(['user_features'])
  expect(tablesOf('SELECT 1', views, names)).toEqual([])
})

test('no more questions are under way than may be, and none twice at a time', async () => {
  const { hub, store } = opened({ atOnce: 2 })
  let underWay = 0
  let most = 0
  const open: (() => void)[] = []
  const ask = async () => {
    most = Math.max(most, ++underWay)
    await new Promise<void>((resolve) => open.push(resolve))
    underWay--
    return 'x'
  }
  const heard: string[] = []
  for (const key of ['a', 'b', 'c', 'd', 'e']) hub.watch(key, { tables, ask }, () => heard.push(key))
  await soon(() => underWay).toBe(2)
  store.rows++
  await soon(() => store.pulses).toBeGreaterThan(5)
  expect(underWay).toBe(2)
  while (heard.length < 5) {
    open.splice(0).forEach((answer) => answer())
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  expect(most).toBe(2)
  expect(new Set(heard)).toEqual(new Set(['a', 'b', 'c', 'd', 'e']))
  open.splice(0).forEach((answer) => answer())
  hub.close()
})

/** So long a question takes: what has changed is queued meanwhile. */
async function nextTurn(store: { pulses: number }): Promise<void> {
  const { pulses } = store
  while (store.pulses === pulses) await new Promise((resolve) => setTimeout(resolve, 1))
}

test('with more to ask than can be asked the quick come more often, and the slow come too', async () => {
  let now = 0
  const { hub, store } = opened({ atOnce: 1, clock: { now: () => (now += 1) } })
  const asked: Record<string, number> = {}
  const watch = (key: string, tookMs: number) => {
    asked[key] = 0
    const ask = async () => {
      now += tookMs
      store.rows++
      await nextTurn(store)
      return String(asked[key]!++)
    }
    hub.watch(key, { tables, ask }, () => {})
  }
  for (let i = 0; i < 8; i++) watch(`quick ${i}`, 10)
  watch('slow', 25)
  const quick = () => Object.entries(asked).flatMap(([key, count]) => (key === 'slow' ? [] : [count]))
  await soon(() => Math.min(...quick())).toBeGreaterThan(40)
  expect(asked['slow']).toBeGreaterThan(3)
  expect(asked['slow']).toBeLessThan(Math.min(...quick()))
  hub.close()
})

test('who has nothing yet does not wait behind what has', async () => {
  let now = 0
  const { hub, store } = opened({ atOnce: 1, clock: { now: () => (now += 1) } })
  const order: string[] = []
  const watch = (key: string) => {
    const ask = async () => {
      now += 10
      store.rows++
      order.push(key)
      await nextTurn(store)
      return String(order.length)
    }
    hub.watch(key, { tables, ask }, () => {})
  }
  for (let i = 0; i < 30; i++) watch(`old ${i}`)
  await soon(() => order.length).toBeGreaterThan(100)
  const before = order.length
  watch('new')
  await soon(() => order.includes('new')).toBe(true)
  expect(order.indexOf('new') - before).toBeLessThan(3)
  hub.close()
})

test('an answer that is the same is not told again; a failure is, and is asked again at every turn', async () => {
  const { hub, store } = opened()
  let asked = 0
  let isBroken = false
  const heard: string[] = []
  hub.watch(
    'a',
    {
      tables,
      async ask() {
        asked++
        if (isBroken) throw new Error('broken')
        return 'same'
      },
    },
    (answer) => heard.push(said(answer)),
  )
  await soon(() => heard).toEqual(['same'])
  store.rows++
  await soon(() => asked).toBe(3)
  expect(heard).toEqual(['same'])
  isBroken = true
  store.rows++
  await soon(() => heard.filter((one) => one === 'Error: broken').length).toBeGreaterThan(2)
  isBroken = false
  await soon(() => heard.at(-1)).toBe('same')
  hub.close()
})

test('of a store that goes away nothing more is asked, and at once when it is back', async () => {
  const { hub, store, pulses } = opened({ againMs: 0 })
  let asked = 0
  const heard: string[] = []
  const ask = () => Promise.resolve(String(asked++))
  for (let i = 0; i < 5; i++) hub.watch(`${i}`, { tables, ask }, (answer) => heard.push(said(answer)))
  await soon(() => asked).toBeGreaterThan(20)
  store.isAway = true
  await soon(() => pulses.at(-1)).toBe(undefined)
  const before = asked
  const turns = pulses.length
  await soon(() => pulses.length).toBeGreaterThan(turns + 10)
  expect(asked).toBe(before)
  store.isAway = false
  await soon(() => asked).toBeGreaterThan(before + 5)
  expect(heard.filter((one) => one.startsWith('Error'))).toEqual([])
  hub.close()
})

test('a store that is away is told as that, and nothing else is asked of it', async () => {
  const { hub, store, pulses } = opened()
  store.isAway = true
  let asked = 0
  hub.watch('a', { tables, ask: () => Promise.resolve(String(asked++)) }, () => {}) // prettier-ignore
  await soon(() => pulses.length).toBeGreaterThan(3)
  expect(pulses.every((pulse) => pulse === undefined)).toBe(true)
  expect(asked).toBe(0)
  store.isAway = false
  await soon(() => asked).toBe(1)
  hub.close()
})
