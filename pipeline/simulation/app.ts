// The app of a simulated run: its SDK sends flushes, sends again what was not acknowledged, sends late, broken and twice.
import { plainBatch, plainEvent, uuidOf } from '../../operators/testing/generate.ts'
import { encodeSingleObject } from '../../schemas/avro-encode.ts'
import { behaviorBatch, behaviors, type BehaviorEvent } from '../../schemas/behavior-batch.ts'
import type { Log, OutRecord } from '../ports/log.ts'
import type { Chance } from './chance.ts'
import type { Host, World } from './world.ts'

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

export function app(world: World, host: Host, log: Log, topic: string, chance: Chance, options: { users: number; everyMs: number }): App {
  const sent: { user: string; event: BehaviorEvent }[] = []
  let ids = 0
  let flushes = 0
  let underWay = 0
  let stopped = false

  function event(user: string, at: number): BehaviorEvent {
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

  function flush(): OutRecord {
    const at = world.now()
    const user = `user${Math.floor(chance.unit() ** 2 * options.users)}`
    const headers = chance.is(0.5) ? { received_at: text(at) } : {}
    if (chance.is(0.03)) return { key: text(user), value: chance.is(0.5) ? text('garbage') : null, headers }
    const events = Array.from({ length: chance.between(1, 5) }, () => event(user, at))
    for (const made of events) sent.push({ user, event: made })
    const key = chance.is(0.02) ? text(`${user}'`) : text(user)
    return { key, value: encodeSingleObject(behaviorBatch, plainBatch(user, at, events)), headers }
  }

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
    void send(flush())
    world.after(chance.between(1, options.everyMs * 2), next)
  }

  return {
    start: next,
    stop: () => (stopped = true),
    isQuiet: () => stopped && underWay === 0,
    flushes: () => flushes,
  }
}
