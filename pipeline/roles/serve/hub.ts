// Who watches what: each thing that anyone watches is asked for once, however many watch it, and told to all of them when it has changed.
import type { Clock } from '../../ports/clock.ts'
import { versionOf, type Pulse } from './pulse.ts'
import { frameOf, type Frame } from './stream.ts'

export type Answer = { ok: true; text: string; frame: Frame } | { ok: false; error: unknown }
/** JSON of a stream's event. */
export type Ask = (pulse: Pulse) => Promise<string>
/** It is asked again when a row has come into one of its tables. */
export type Question = {
  readonly tables: readonly string[]
  readonly ask: Ask
  /** No sooner after an answer than this, unless another minute of log time is over everywhere, so that buckets have closed. Default 0. */
  readonly restMs?: number
}
export type Listener = (answer: Answer) => void

export type HubOptions = {
  clock: Pick<Clock, 'now'>
  /** Asked at every turn. Throws where the store does not answer. */
  pulse(): Promise<Pulse>
  onPulse(pulse: Pulse | undefined): void
  /** Between two turns. Default 1 s. */
  everyMs?: number
  /** The store is away where it has not answered for so long. Default 5 s. */
  patienceMs?: number
  /** Questions under way at a time. Default 2: the pipeline's own work comes first. */
  atOnce?: number
  /** Nothing new: it is asked again all the same after so long. Default 10 s. */
  againMs?: number
  /** An answer is kept for so long after the last watcher has left. Default 30 s. */
  keepMs?: number
}

export type Hub = {
  /** `key` stands for all that the answer depends on. The listener is told what is known at once, then of every change. Returns: watch no more. */
  watch(key: string, question: Question, listener: Listener): () => void
  /** Things watched now. */
  watched(): number
  close(): void
}

type Topic = {
  question: Question
  listeners: Set<Listener>
  answer: Answer | undefined
  /** Of the pulse at its last question. */
  version: string | undefined
  /** Rows of one block come into several tables one after another: what has changed is asked once more. */
  onceMore: boolean
  askedAt: number
  /** Slow ones are asked for no sooner than this; those that rest no sooner than the other. */
  slowUntil: number
  restsUntil: number
  /** Minutes of log time that were over everywhere at its last question. */
  minute: number
  tookMs: number
  isWaiting: boolean
  /** Of those that wait the least is next. */
  rank: number
  leftAt: number
}

/** What is slow is asked for at most a fifth of the time. */
const slownessWeight = 4
/** Where more is to be asked than can be, it lets others go first for so many times what it takes. */
const patience = 20
const firstBeforeMs = 20_000

export function openHub(options: HubOptions): Hub {
  const { clock, everyMs = 1_000, patienceMs = 5_000, atOnce = 2, againMs = 10_000, keepMs = 30_000 } = options
  const topics = new Map<string, Topic>()
  const waiting: Topic[] = []
  let underWay = 0
  let timer: NodeJS.Timeout | undefined
  let isTurning = false
  let isClosed = false
  let pulse: Pulse | undefined
  let asking: Promise<Pulse> | undefined

  const isWatched = () => [...topics.values()].some(({ listeners }) => listeners.size > 0)

  async function turn(): Promise<void> {
    if (isTurning || isClosed) return
    isTurning = true
    // One that never answers is not asked again meanwhile.
    asking ??= options.pulse().finally(() => (asking = undefined))
    try {
      pulse = await within(asking, patienceMs)
      options.onPulse(pulse)
    } catch {
      // Nothing else is asked of a store that is away: each panel keeps what it has.
      pulse = undefined
      for (const topic of waiting.splice(0)) topic.isWaiting = false
      options.onPulse(undefined)
    }
    isTurning = false
    const now = clock.now()
    for (const [key, topic] of topics) {
      if (topic.listeners.size > 0) queue(topic, now)
      else if (now - topic.leftAt >= keepMs) topics.delete(key)
    }
    drain()
    if (isClosed) return
    if (isWatched()) timer = setTimeout(() => void turn(), everyMs)
    else timer = undefined
  }

  function queue(topic: Topic, now: number): void {
    if (pulse === undefined || topic.isWaiting || now < topic.slowUntil) return
    if (now < topic.restsUntil && topic.minute === minuteOf(pulse)) return
    const hasChanged = topic.version !== versionOf(pulse, topic.question.tables)
    if (!hasChanged && !topic.onceMore && topic.answer?.ok === true && now - topic.askedAt < againMs) return
    topic.onceMore = hasChanged && topic.version !== undefined
    topic.isWaiting = true
    // What is quick does not wait for what is slow, but for what has waited for longer than that takes: nothing is left out for ever.
    // Who has nothing to look at yet goes before the others, but for the same reason not before all.
    topic.rank = topic.answer === undefined ? now - firstBeforeMs : now + patience * topic.tookMs
    const place = waiting.findIndex(({ rank }) => rank > topic.rank)
    waiting.splice(place === -1 ? waiting.length : place, 0, topic)
  }

  function drain(): void {
    while (underWay < atOnce) {
      const topic = waiting.shift()
      if (topic === undefined) return
      if (topic.listeners.size === 0) topic.isWaiting = false
      else void put(topic)
    }
  }

  async function put(topic: Topic): Promise<void> {
    underWay++
    const askedWith = pulse!
    const askedAt = clock.now()
    let answer: Answer
    try {
      const text = await topic.question.ask(askedWith)
      answer = { ok: true, text, frame: frameOf(text) }
    } catch (error) {
      answer = { ok: false, error }
    }
    underWay--
    topic.isWaiting = false
    topic.version = versionOf(askedWith, topic.question.tables)
    topic.minute = minuteOf(askedWith)
    topic.askedAt = askedAt
    // What is slow is asked for less often.
    topic.tookMs = clock.now() - askedAt
    topic.slowUntil = clock.now() + slownessWeight * topic.tookMs
    topic.restsUntil = answer.ok ? clock.now() + (topic.question.restMs ?? 0) : 0
    const isSame = answer.ok && topic.answer?.ok === true && answer.text === topic.answer.text
    topic.answer = answer
    if (!isSame) for (const listener of topic.listeners) listener(answer)
    if (!isClosed) drain()
  }

  return {
    watch(key, question, listener) {
      let topic = topics.get(key)
      if (topic === undefined) {
        topic = {
          question, listeners: new Set(), answer: undefined, version: undefined, onceMore: false, askedAt: -Infinity, slowUntil: 0, restsUntil: 0, minute: NaN, tookMs: 0,
          isWaiting: false, rank: 0, leftAt: 0,
        } // prettier-ignore
        topics.set(key, topic)
      }
      const watched = topic
      watched.listeners.add(listener)
      if (watched.answer !== undefined) listener(watched.answer)
      // Who comes while others watch need not wait for the next turn.
      if (timer === undefined) void turn()
      else if (watched.answer === undefined) {
        queue(watched, clock.now())
        drain()
      }
      return () => {
        watched.listeners.delete(listener)
        if (watched.listeners.size === 0) watched.leftAt = clock.now()
      }
    },
    watched: () => [...topics.values()].filter(({ listeners }) => listeners.size > 0).length,
    close() {
      isClosed = true
      clearTimeout(timer)
    },
  }
}

const minuteOf = ({ leastClockAt }: Pulse) => Math.floor(leastClockAt / 60_000)

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer for ${ms} ms`)), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
