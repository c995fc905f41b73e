// The app of a simulated run: its SDK sends flushes, sends again what was not acknowledged, sends late, broken and twice.
import { plainBatch, plainEvent, uuidOf } from '../../operators/testing/generate.ts'
import { plainSignal } from '../../operators/testing/nasty-signals.ts'
import { encodeSingleObject } from '../../schemas/avro-encode.ts'
import { behaviorBatch, behaviors, type BehaviorEvent } from '../../schemas/behavior-batch.ts'
import { customerSignal, signalKinds } from '../../schemas/customer-signal.ts'
import type { Log, OutRecord } from '../ports/log.ts'
import type { Chance } from './chance.ts'
import type { Host, World } from './world.ts'

/** What is sent: the next message, as of the world's time. */
export type Messages = (chance: Chance, at: number) => OutRecord

export type App = {
  /** Sends a flush every now and then until `stop`. */
  start(): void
  stop(): void
  /** Nothing is under way any more. */
  isQuiet(): boolean
  flushes(): number
}

const hourMs = 3_600_000
const text = (value: string | number) => new TextEncoder().encode(String(value))

/** Flushes of behaviour: good, again, late, broken. */
export function behaviorMessages(users: number): Messages {
  const sent: { user: string; event: BehaviorEvent }[] = []
  let ids = 0

  function event(chance: Chance, user: string, at: number): BehaviorEvent {
    if (sent.length > 0 && chance.is(0.25)) {
      const again = sent[sent.length - 1 - Math.floor(chance.unit() ** 2 * Math.min(sent.length, 60))]!
      if (again.user === user || chance.is(0.2)) return again.event
    }
    const behavior = chance.is(0.3) ? chance.one(['purchase', 'register', 'play'] as const) : chance.one(behaviors)
    const late = chance.is(0.1) ? chance.between(0, 30 * hourMs) : chance.between(0, 3_000)
    const made = plainEvent(uuidOf(ids++), behavior, at - late)
    const broken = chance.is(0.04)
    return { ...made, category: chance.one(['music', 'food', null]), ...(broken ? { content_id: '', amount_minor: -1, query: '' } : {}) }
  }

  return (chance, at) => {
    const user = `user${Math.floor(chance.unit() ** 2 * users)}`
    const headers = chance.is(0.5) ? { received_at: text(at) } : {}
    if (chance.is(0.03)) return { key: text(user), value: chance.is(0.5) ? text('garbage') : null, headers }
    const events = Array.from({ length: chance.between(1, 5) }, () => event(chance, user, at))
    for (const made of events) sent.push({ user, event: made })
    const key = chance.is(0.02) ? text(`${user}'`) : text(user)
    return { key, value: encodeSingleObject(behaviorBatch, plainBatch(user, at, events)), headers }
  }
}

/** Customer signals, likewise. */
export function signalMessages(users: number): Messages {
  const sent: OutRecord[] = []
  let ids = 0
  return (chance, at) => {
    const headers = chance.is(0.5) ? { received_at: text(at) } : {}
    if (sent.length > 0 && chance.is(0.25)) return sent[sent.length - 1 - Math.floor(chance.unit() ** 2 * Math.min(sent.length, 60))]!
    const user = chance.is(0.2) ? null : `user${Math.floor(chance.unit() ** 2 * users)}`
    const late = chance.is(0.1) ? chance.between(0, 30 * hourMs) : chance.between(0, 3_000)
    const made = { ...plainSignal(chance.one(signalKinds), uuidOf(ids++), user, at - late), sent_at: at }
    const key = text(made.user_id ?? made.channel!)
    if (chance.is(0.03)) return { key, value: chance.is(0.5) ? text('garbage') : null, headers }
    const value = encodeSingleObject(customerSignal, chance.is(0.04) ? { ...made, score: -1, content_id: '' } : made)
    const record = { key: chance.is(0.02) ? text('somebody') : key, value, headers }
    sent.push(record)
    return record
  }
}

export function app(
  world: World,
  host: Host,
  log: Log,
  topic: string,
  chance: Chance,
  options: { messages: Messages; everyMs: number },
): App {
  let flushes = 0
  let underWay = 0
  let stopped = false

  async function send(record: OutRecord): Promise<void> {
    underWay++
    for (;;) {
      try {
        await log.append(topic, [record])
        break
      } catch {
        await host.clock.sleep(chance.between(20, 300))
      }
    }
    underWay--
  }

  function next(): void {
    if (stopped) return
    flushes++
    void send(options.messages(chance, world.now()))
    world.after(chance.between(1, options.everyMs * 2), next)
  }

  return {
    start: next,
    stop: () => (stopped = true),
    isQuiet: () => stopped && underWay === 0,
    flushes: () => flushes,
  }
}
