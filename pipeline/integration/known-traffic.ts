// Traffic of which a test knows every event, and the check that each of them, and each message that follows from it, is there once.
import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { encodeSingleObject } from '../../schemas/avro-encode.ts'
import { behaviorBatch, type BehaviorEvent } from '../../schemas/behavior-batch.ts'
import { rejectedTopicOf, tierChangesTopicOf } from '../config/names.ts'
import type { Log, OutRecord } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { readSome } from '../testing/log-contract.ts'

const users = 300
const pauseMs = 50
const flushesAtOnce = 20

export type KnownTraffic = {
  /** Ids of the valid events whose flush was acknowledged. */
  ids: Set<string>
  rejected(): number
  stop(): Promise<void>
}

/** Appends flushes until it is stopped: new users register and buy, every 10th flush comes twice, every 17th has an event that is none. */
export function knownTraffic(log: Log, topic: string): KnownTraffic {
  const ids = new Set<string>()
  let rejected = 0
  let made = 0
  let stopping = false

  function next(): OutRecord[] {
    const n = made++
    const user = `u${n % users}`
    const occurredAt = Date.now()
    const event = (over: Partial<BehaviorEvent> = {}): BehaviorEvent => ({
      event_id: randomBytes(16), behavior: 'play', occurred_at: occurredAt, session_id: 's', content_id: 'v', creator_id: null, category: 'music',
      surface: 'feed', published_at: null, watch_ms: 900, duration_ms: 1_000, amount_minor: null, currency: null, query: null, ...over,
    }) // prettier-ignore
    const events = [event(), event({ behavior: 'like' })]
    if (n < users) events.push(event({ behavior: 'register' }), event({ behavior: 'purchase', amount_minor: 990, currency: 'CNY' }))
    for (const { event_id } of events) ids.add(Buffer.from(event_id).toString('hex'))
    if (n % 17 === 0) {
      events.push(event({ behavior: 'like', content_id: null }))
      rejected++
    }
    const value = encodeSingleObject(behaviorBatch, {
      batch_id: randomBytes(16), user_id: user, device_id: 'd', platform: 'ios', app_version: '8.4.1', channel: 'ad', region: 'CN-31',
      sent_at: occurredAt, experiments: {}, events,
    }) // prettier-ignore
    const record = { key: new TextEncoder().encode(user), value }
    // A rejected event is told each time that it comes.
    if (n % 10 === 0 && n % 17 !== 0) return [record, record]
    return [record]
  }

  const done = (async () => {
    while (!stopping) {
      await log.append(topic, Array.from({ length: flushesAtOnce }, next).flat())
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  })()
  done.catch(() => {}) // told by `stop`
  return {
    ids,
    rejected: () => rejected,
    async stop() {
      stopping = true
      await done
    },
  }
}

/** Waits until everything is stored; then nothing is missing and nothing is there twice, in tables and in topics. */
export async function expectOnce(log: Log, store: Store, topic: string, { ids, rejected }: KnownTraffic): Promise<void> {
  const counted = async () =>
    (
      await store.query<{ rows: number; distinct: number; rejected: number; changes: number }>(
        `SELECT count() AS rows, uniqExact(event_id) AS distinct, (SELECT count() FROM rejected_events) AS rejected,
          (SELECT count() FROM tier_changes) AS changes FROM events`,
      )
    )[0]!
  await expect.poll(async () => (await counted()).distinct, { timeout: 120_000, interval: 500 }).toBe(ids.size)
  const { rows, rejected: rejectedRows, changes } = await counted()
  expect({ rows, rejected: rejectedRows }).toEqual({ rows: ids.size, rejected: rejected() })
  const stored = await store.query<{ id: string }>(`SELECT lower(hex(UUIDStringToNum(toString(event_id)))) AS id FROM events`)
  expect(stored.filter(({ id }) => !ids.has(id))).toEqual([])

  const messages = async (name: string) => {
    const { partitions } = (await log.describeTopic(name))!
    const all = await Promise.all(partitions.map(async ({ end }, partition) => (end === 0 ? [] : readSome(log, name, partition))))
    return all.flat().map(({ headers }) => headers['id'])
  }
  // Messages follow with the next checkpoint.
  for (const [name, count] of [
    [tierChangesTopicOf(topic), changes],
    [rejectedTopicOf(topic), rejected()],
  ] as const) {
    await expect.poll(async () => new Set(await messages(name)).size, { timeout: 60_000, interval: 500 }).toBe(count)
    expect((await messages(name)).length).toBe(count)
    expect(count).toBeGreaterThan(0)
  }
}
