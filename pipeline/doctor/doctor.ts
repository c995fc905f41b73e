// Looks at machine, log and store, judges what was found, and changes nothing.
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { openLog, openStore, type LogPlace, type StorePlace } from '../adapters/open.ts'
import type { ProcessSettings, TopicSettings } from '../config/groups.ts'
import { databaseOf, isSignalsTopic } from '../config/names.ts'
import { WrongSetting } from '../config/value.ts'
import { checkMachine } from './check-machine.ts'
import { checkPartitions } from './check-partitions.ts'
import { checkRows } from './check-rows.ts'
import { checkStore } from './check-server.ts'
import { checkTables } from './check-tables.ts'
import { checkLog } from './check-topics.ts'
import type { Facts, LogFacts, Place, StoreFacts } from './facts.ts'
import type { Finding } from './finding.ts'
import { gatherLog } from './gather-log.ts'
import { gatherMachine } from './gather-machine.ts'
import { gatherStore } from './gather-store.ts'

export type DoctorSettings = LogPlace &
  StorePlace & { topic: Pick<TopicSettings, 'topic' | 'group'>; process: Pick<ProcessSettings, 'blockSpanS' | 'checkpointS'> }

/** Throws WrongSetting where the settings cannot hold together. */
export async function gather(settings: DoctorSettings, now: () => number = Date.now): Promise<Facts> {
  const machine = await gatherMachine(settings.data.dir, {
    brokers: settings.log.brokers.length > 0,
    clickhouse: settings.store.url !== undefined,
    blockSpanMs: settings.process.blockSpanS * 1000,
    checkpointMs: settings.process.checkpointS * 1000,
  })
  // The log first: what a checkpoint has passed is in the store before, so the store that is looked at later must have it.
  const log = await lookAtLog(settings)
  const nowMs = now()
  return { nowMs, machine, log, store: await lookAtStore(settings, now) }
}

export function judge({ nowMs, machine, log, store }: Facts): Finding[] {
  return [
    ...checkMachine(machine, log),
    ...checkLog(log, nowMs),
    ...checkPartitions(log, machine, nowMs),
    ...checkStore(store),
    ...(store.state === 'found' ? checkTables(store.facts) : []),
    ...checkRows(store, log, nowMs),
  ]
}

async function lookAtLog(settings: DoctorSettings): Promise<Place<LogFacts>> {
  const { brokers } = settings.log
  const embedded = brokers.length === 0
  const where = embedded ? resolve(settings.data.dir, 'log') : brokers.join(',')
  if (embedded && !existsSync(join(where, 'log.db'))) return { state: 'absent', where }
  return orAway(where, async () => {
    const log = await openLog(settings, { create: false, look: true })
    try {
      return await gatherLog(log, { kind: embedded ? 'embedded' : 'kafka', where }, settings.topic.topic, settings.topic.group)
    } finally {
      await log.close()
    }
  })
}

async function lookAtStore(settings: DoctorSettings, now: () => number): Promise<Place<StoreFacts>> {
  const { url } = settings.store
  const where = url === undefined ? resolve(settings.data.dir, 'engine') : withoutLogin(url)
  if (url === undefined && !existsSync(where)) return { state: 'absent', where }
  const database = databaseOf(settings.topic.topic)
  return orAway(where, async () => {
    const server = await openStore(settings, { create: false, database: 'system' })
    try {
      const store = await openStore(settings, { create: false })
      try {
        return await gatherStore(
          server,
          store,
          {
            kind: url === undefined ? 'embedded' : 'server',
            where,
            topic: settings.topic.topic,
            database,
            of: isSignalsTopic(settings.topic.topic) ? 'signals' : 'behavior',
          },
          now,
        )
      } finally {
        await store.close()
      }
    } finally {
      await server.close()
    }
  })
}

function withoutLogin(url: string): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname.replace(/\/$/, '')}`
}

async function orAway<T>(where: string, look: () => Promise<T>): Promise<Place<T>> {
  try {
    return { state: 'found', facts: await look() }
  } catch (error) {
    if (error instanceof WrongSetting) throw error
    return { state: 'away', where, why: error instanceof Error ? error.message : String(error) }
  }
}
