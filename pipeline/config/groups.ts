// Every setting of the program, in one small group for each role or port. `reelpulse config` prints them as they take effect.
import { z } from 'zod'
import { allowedLatenessMs } from '../../operators/kpi/catalogue.ts'
import { defaultSettings } from '../../operators/settings.ts'
import { pick, settingGroup, type SettingsOf } from './group.ts'
import { defaultGroup, defaultTopic } from './names.ts'

const port = (doc: string) => z.int('a whole number').min(0, 'a port from 0 to 65535').max(65535, 'a port from 0 to 65535').describe(doc)
const seconds = (least: number, value: number, doc: string) =>
  z.number().min(least, `at least ${least} seconds`).max(86_400, 'at most 86400 seconds').default(value).describe(doc)
const wholeSeconds = (value: number, doc: string) =>
  z.int('a whole number of seconds').min(1, 'at least 1 second').max(3_600, 'at most 3600 seconds').default(value).describe(doc)
const httpUrl = (doc: string) => z.url({ protocol: /^https?$/, error: 'a URL that starts with http:// or https://' }).describe(doc)
const words = (doc: string) =>
  z.array(z.string().max(512, 'words of at most 512 letters')).min(1, 'at least one word').max(1_000, 'at most 1000 words').describe(doc)
const kafkaName = (value: string, doc: string) =>
  z
    .string()
    .regex(/^(?!\.\.?$)[A-Za-z0-9._-]{1,200}$/, 'at most 200 of the letters A-Z a-z 0-9 . _ -')
    .default(value)
    .describe(doc)

export const dataSettings = settingGroup('Where state lies', {
  dir: {
    env: 'REELPULSE_DATA',
    flag: 'data',
    schema: z.string().min(1, 'a directory').default('./data').describe('State of the embedded log and engine.'),
  },
})

export const topicSettings = settingGroup('Topic', {
  topic: { env: 'REELPULSE_TOPIC', schema: kafkaName(defaultTopic, 'Input topic; each has tables of its own.') },
  group: { env: 'REELPULSE_GROUP', schema: kafkaName(defaultGroup, 'Consumer group; names the changelog too.') },
  partitions: {
    env: 'REELPULSE_PARTITIONS',
    schema: z
      .int('a whole number')
      .min(1, 'at least 1')
      .max(1_000, 'at most 1000')
      .default(4)
      .describe('Partitions of a topic that has to be created.'),
  },
})

/** For who looks at what is there: without a topic, all of them. */
export const anyTopicSettings = settingGroup('Topic', {
  topic: {
    env: 'REELPULSE_TOPIC',
    schema: topicSettings.settings.topic.schema
      .removeDefault()
      .optional()
      .describe('Only this input topic; without it, all that the store has.'),
  },
})

export const logSettings = settingGroup('Log (Kafka; without brokers the embedded log)', {
  brokers: {
    env: 'KAFKA_BROKERS',
    schema: z
      .array(z.string().regex(/^[^\s:/]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/, 'host:port, several between commas'))
      .default([])
      .describe('host:port, several between commas.'),
  },
  ssl: { env: 'KAFKA_SSL', flag: 'kafka-ssl', schema: z.boolean().default(false).describe('Speak TLS with the brokers.') },
  saslMechanism: {
    env: 'KAFKA_SASL_MECHANISM',
    flag: 'kafka-sasl-mechanism',
    schema: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).optional().describe('How to log in at the brokers.'),
  },
  saslUsername: { env: 'KAFKA_SASL_USERNAME', flag: 'kafka-sasl-username', schema: z.string().optional().describe('Who logs in.') },
  // A password on a command line can be read by every user of the machine.
  saslPassword: { env: 'KAFKA_SASL_PASSWORD', flag: null, secret: true, schema: z.string().optional().describe('With what password.') },
  clientId: {
    env: 'KAFKA_CLIENT_ID',
    flag: 'kafka-client-id',
    schema: z.string().min(1, 'a name').default('reelpulse').describe('Name at the brokers.'),
  },
  sessionTimeoutS: {
    env: 'KAFKA_SESSION_TIMEOUT_S',
    flag: 'kafka-session-timeout-s',
    schema: seconds(1, 30, 'A process that the brokers do not hear of for so long loses its partitions.'),
  },
})

export const storeSettings = settingGroup('Store (ClickHouse; without a URL the embedded engine)', {
  url: { env: 'CLICKHOUSE_URL', flag: 'clickhouse-url', schema: httpUrl('HTTP interface of a ClickHouse server.').optional() },
  user: { env: 'CLICKHOUSE_USER', flag: 'clickhouse-user', schema: z.string().default('default').describe('Who logs in.') },
  password: { env: 'CLICKHOUSE_PASSWORD', flag: null, secret: true, schema: z.string().default('').describe('With what password.') },
})

export const endpointSettings = settingGroup('The embedded engine for others (Grafana, ClickHouse clients), who may only read', {
  port: {
    env: 'REELPULSE_CLICKHOUSE_PORT',
    flag: 'clickhouse-port',
    schema: port(
      "Answer ClickHouse's HTTP interface on this port; 0: on any free one. Without it, on a socket of our own user only.",
    ).optional(),
  },
  host: {
    env: 'REELPULSE_CLICKHOUSE_HOST',
    flag: 'clickhouse-host',
    schema: z
      .string()
      .min(1, 'a host name or address')
      .default('127.0.0.1')
      .describe('Address to answer there on. It is plain HTTP: beyond this machine only in a network that you trust.'),
  },
})

export const processSettings = settingGroup('Process', {
  blockSpanS: { env: 'REELPULSE_BLOCK_SPAN_S', schema: seconds(0.1, 5, 'A tick cuts a block this often.') },
  checkpointS: { env: 'REELPULSE_CHECKPOINT_S', schema: seconds(0.1, 10, 'State is checkpointed this often.') },
  emitS: {
    env: 'REELPULSE_EMIT_S',
    schema: wholeSeconds(defaultSettings.emitMs / 1000, "Length of the intervals at whose end a user's row is written."),
  },
  decayRows: {
    env: 'REELPULSE_DECAY_ROWS',
    schema: z.boolean().default(defaultSettings.decayRows).describe('Write rows of idle users when events leave a window.'),
  },
  zone: {
    env: 'REELPULSE_ZONE',
    schema: z
      .string()
      .refine(isZone, 'a time zone such as Asia/Shanghai')
      .default(defaultSettings.zone)
      .describe('Time zone of days and months.'),
  },
  currency: {
    env: 'REELPULSE_CURRENCY',
    schema: z
      .string()
      .regex(/^[A-Z]{3}$/, 'an ISO 4217 code such as CNY')
      .default(defaultSettings.currency)
      .describe('Currency of purchases; any other is rejected.'),
  },
  dimensions: {
    env: 'REELPULSE_DIMENSIONS',
    schema: z.string().optional().describe('YAML or JSON file with lists channel, region, app_version, category, surface.'),
  },
  channels: { env: 'REELPULSE_CHANNELS', schema: words('Channels that count under their own name.').optional() },
  regions: { env: 'REELPULSE_REGIONS', schema: words('Regions, likewise.').optional() },
  appVersions: { env: 'REELPULSE_APP_VERSIONS', schema: words('App versions, likewise.').optional() },
  categories: { env: 'REELPULSE_CATEGORIES', schema: words('Categories, likewise.').optional() },
  surfaces: { env: 'REELPULSE_SURFACES', schema: words('Surfaces, likewise.').optional() },
})

export const detectSettings = settingGroup('Detect', {
  latenessS: { env: 'REELPULSE_LATENESS_S', schema: seconds(0, allowedLatenessMs / 1000, 'A bucket closes this long after its end.') },
  alertmanagerUrl: {
    env: 'ALERTMANAGER_URL',
    schema: httpUrl("Prometheus's Alertmanager, which groups and routes alerts; with its path prefix, without /api.").optional(),
  },
  webhookUrl: { env: 'REELPULSE_WEBHOOK_URL', schema: httpUrl('Gets a POST for every transition of an alert.').optional() },
  // With it anyone could send alerts in our name.
  webhookSecret: {
    env: 'REELPULSE_WEBHOOK_SECRET',
    flag: null,
    secret: true,
    schema: z.string().min(16, 'at least 16 letters').describe('Signs what the webhook gets (HMAC-SHA256).').optional(),
  },
  boardUrl: {
    env: 'REELPULSE_BOARD_URL',
    schema: httpUrl(
      'The board, here (http://localhost:8080/) or in Grafana (http://localhost:3000/d/reelpulse-cells): each alert links to the one there that shows it. start: its own.',
    ).optional(),
  },
})

/** Taken where none was asked for, unless it is in use. */
export const defaultPort = 8080

export const serveSettings = settingGroup('Serve', {
  host: {
    env: 'REELPULSE_HOST',
    schema: z.string().min(1, 'a host name or address').default('127.0.0.1').describe('Address to listen on.'),
  },
  names: {
    env: 'REELPULSE_HOST_NAMES',
    flag: 'host-names',
    schema: z
      .array(z.string().regex(/^[^\s:/]+$|^\[[0-9a-fA-F:]+\]$/, 'names without a port, several between commas'))
      .default([])
      .describe(
        'Names by which the board may be asked for, several between commas. Default: on a loopback address those of this machine, else any.',
      ),
  },
  port: {
    env: 'REELPULSE_PORT',
    schema: port(
      `Port of the HTTP interface; 0: any free one. Default ${defaultPort}; where that is in use, none, or any free one for the board.`,
    ).optional(),
  },
})

export const loggerSettings = settingGroup('Messages', {
  level: {
    env: 'LOG_LEVEL',
    flag: 'log-level',
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info').describe('Least level that is written.'),
  },
})

export const allSettings = {
  data: dataSettings,
  topic: topicSettings,
  log: logSettings,
  store: storeSettings,
  endpoint: endpointSettings,
  process: processSettings,
  detect: detectSettings,
  serve: serveSettings,
  logger: loggerSettings,
} as const

/** Of a command that looks at a pipeline or changes what it left behind: it must be told all that the pipeline runs with. */
export const pipelineSettings = {
  data: dataSettings,
  topic: pick(topicSettings, ['topic', 'group']),
  log: logSettings,
  store: storeSettings,
  process: processSettings,
} as const

export type DataSettings = SettingsOf<typeof dataSettings>
export type TopicSettings = SettingsOf<typeof topicSettings>
export type LogSettings = SettingsOf<typeof logSettings>
export type StoreSettings = SettingsOf<typeof storeSettings>
export type EndpointSettings = SettingsOf<typeof endpointSettings>
export type ProcessSettings = SettingsOf<typeof processSettings>
export type DetectSettings = SettingsOf<typeof detectSettings>
export type ServeSettings = SettingsOf<typeof serveSettings>
export type LoggerSettings = SettingsOf<typeof loggerSettings>

function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
