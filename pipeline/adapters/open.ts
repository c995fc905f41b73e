// Which adapter stands behind a port, by the settings: Kafka or the embedded log, a ClickHouse server or the embedded engine.
import { accessSync, constants, existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { DataSettings, EndpointSettings, LogSettings, StoreSettings, TopicSettings } from '../config/groups.ts'
import { databaseOf, readableDatabasesOf } from '../config/names.ts'
import { WrongSetting, type Problem } from '../config/value.ts'
import { makeDurableDirectory } from '../durable-directory.ts'
import type { Logger } from '../log/logger.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'

export type LogPlace = { data: DataSettings; log: LogSettings }
export type StorePlace = {
  data: DataSettings
  store: StoreSettings
  topic: Pick<TopicSettings, 'topic'>
  /** Where others may read the embedded engine. */
  endpoint?: EndpointSettings
}

const lookPatienceMs = 5_000

export type OpenOptions = {
  /** Undefined: nothing is told. */
  logger?: Logger
  /** Default true. False, for who only looks: throws WrongSetting where the data directory has no state. */
  create?: boolean
  /** Of `openLog`: nothing will be written. A directory that another process has is looked into all the same, and brokers that do not answer are given up soon. */
  look?: boolean
  /** Of `openLog`: how long its first answers are waited for where Kafka is away (ms); undefined: a minute. */
  patienceMs?: number
  /** Of `openStore`: another database than the topic's, such as `system`, which is there whatever else is. */
  database?: string
  /** Of `openStore`: told where others may read, in place of a message. */
  onEndpoint?: (at: { url: string; user: string; password_in: string }) => void
}

/** Throws WrongSetting where the settings cannot hold together. */
export async function openLog(place: LogPlace, options: OpenOptions = {}): Promise<Log> {
  const { logger, patienceMs = options.look === true ? lookPatienceMs : undefined } = options
  const { brokers, clientId, ssl, sessionTimeoutS } = place.log
  if (brokers.length === 0) {
    const { embeddedLog } = await import('./embedded-log.ts')
    return embeddedLog(stateDirectory(place.data, 'log', options), { readOnly: options.look === true })
  }
  const sasl = saslOf(place.log)
  const { kafkaLog } = await import('./kafka-log.ts')
  return kafkaLog({
    brokers,
    clientId,
    ssl,
    sessionTimeoutMs: sessionTimeoutS * 1000,
    ...(sasl === undefined ? {} : { sasl }),
    ...(patienceMs === undefined ? {} : { patienceMs }),
    ...(logger === undefined ? {} : { log: (level, message, fields) => logger[level](fields, message) }),
  })
}

/** The store of one topic's tables, which need not be there yet. Closing it stops the embedded engine where nobody else here has it open. */
export async function openStore(place: StorePlace, options: OpenOptions = {}): Promise<Store> {
  const { logger } = options
  const { url, user, password } = place.store
  const { topic } = place.topic
  const database = options.database ?? databaseOf(topic)
  const endpoint = place.endpoint?.port === undefined ? undefined : { host: place.endpoint.host, port: place.endpoint.port }
  if (url !== undefined) {
    if (endpoint !== undefined) throw wrongPort(endpoint.port, 'no value beside CLICKHOUSE_URL: others ask that server itself')
    const { clickhouseStore } = await import('./clickhouse-store.ts')
    return clickhouseStore({ url, user, password, database })
  }
  stateDirectory(place.data, 'engine', options)
  const { openEmbeddedStore } = await import('./embedded-store.ts')
  const opened = await openEmbeddedStore({
    dataDir: place.data.dir,
    database,
    ...(endpoint === undefined ? {} : { ...endpoint, readerDatabases: readableDatabasesOf(topic) }),
    ...(logger === undefined ? {} : { tell: (level, message) => logger[level](message) }),
  })
  const { store, close, httpUrl, reader } = opened
  if (endpoint !== undefined) {
    const at = httpUrl()
    if (at === undefined || (endpoint.port !== 0 && new URL(at).port !== String(endpoint.port))) {
      await close()
      const where = at === undefined ? 'on no port' : `at ${at}`
      throw wrongPort(endpoint.port, `the engine to be ours, but another process keeps it, which answers ${where}: stop that one first`)
    }
    const readableAt = { url: at, user: reader().user, password_in: join(place.data.dir, 'engine.json') }
    if (options.onEndpoint !== undefined) options.onEndpoint(readableAt)
    else logger?.info(readableAt, 'others can read the tables here')
  }
  return { ...store, close }
}

function wrongPort(port: number, wants: string): WrongSetting {
  return new WrongSetting([{ where: '--clickhouse-port or REELPULSE_CLICKHOUSE_PORT', got: String(port), wants }])
}

function stateDirectory(data: DataSettings, part: 'log' | 'engine', { create = true }: OpenOptions): string {
  const path = join(data.dir, part)
  const where = '--data or REELPULSE_DATA'
  if (create) {
    try {
      makeDurableDirectory(data.dir)
      accessSync(data.dir, constants.W_OK)
    } catch (error) {
      throw new WrongSetting([{ where, got: data.dir, wants: `a directory that can be made and written to (${(error as Error).message})` }])
    }
    return path
  }
  if (existsSync(path)) return path
  const wants = `a directory in which Reelpulse has run (${resolve(path)} is not there): npm start makes ./data`
  throw new WrongSetting([{ where, got: data.dir, wants }])
}

function saslOf(settings: LogSettings): Parameters<(typeof import('./kafka-log.ts'))['kafkaLog']>[0]['sasl'] | undefined {
  const { saslMechanism: mechanism, saslUsername: username, saslPassword: password } = settings
  if (mechanism === undefined && username === undefined && password === undefined) return undefined
  const problems: Problem[] = []
  const missing = (where: string) =>
    problems.push({ where, got: '', wants: 'a value, since another setting of the login at the brokers is set' })
  if (mechanism === undefined) missing('KAFKA_SASL_MECHANISM')
  if (username === undefined) missing('KAFKA_SASL_USERNAME')
  if (password === undefined) missing('KAFKA_SASL_PASSWORD')
  if (mechanism === undefined || username === undefined || password === undefined) throw new WrongSetting(problems)
  switch (mechanism) {
    case 'plain':
      return { mechanism, username, password }
    case 'scram-sha-256':
      return { mechanism, username, password }
    case 'scram-sha-512':
      return { mechanism, username, password }
  }
}
