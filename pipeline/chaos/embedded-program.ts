// The embedded default as one process: log, engine and process role. Its load comes over the channel, and what the log acknowledged is
// said there only afterwards, so whoever started it knows what was promised.
//
//   node pipeline/chaos/embedded-program.ts <data dir> <topic> <block span, s> <checkpoint, s> <emit, s>
import { join } from 'node:path'
import { defaultSettings } from '../../operators/settings.ts'
import { views } from '../../operators/views.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { embeddedLog } from '../adapters/embedded-log.ts'
import { openEmbeddedStore } from '../adapters/embedded-store.ts'
import { systemClock } from '../adapters/system-clock.ts'
import { databaseOf, defaultGroup } from '../config/names.ts'
import { logger } from '../log/logger.ts'
import { startProcess } from '../roles/process/process.ts'
import { knownFlushes, namesOf } from '../start/topic-plan.ts'
import type { Reply, Request } from './embedded-protocol.ts'
import { coveredOffsets } from './rig.ts'

const [dataDir = '', topic = '', blockSpanS, checkpointS, emitS] = process.argv.slice(2)
const messages = logger('embedded', { level: 'info', pretty: false })
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))

const log = await embeddedLog(join(dataDir, 'log'))
await log.createTopic({ topic, partitions: 4, timestamps: 'append' })
const { store, close: closeStore } = await openEmbeddedStore({
  dataDir,
  database: databaseOf(topic),
  tell: (level, message) => messages[level](message),
})
await store.migrate(tables, views)
const role = await startProcess({
  clock: systemClock,
  log,
  store,
  topic,
  names: namesOf(topic, defaultGroup),
  settings: { ...defaultSettings, emitMs: Number(emitS) * 1000 },
  blockSpanMs: Number(blockSpanS) * 1000,
  checkpointMs: Number(checkpointS) * 1000,
  resolve: knownFlushes(),
  tell: (level, message, facts) => messages[level](facts, message),
})

let stopping = false
const reply = (answer: Reply) => void (process.connected && process.send!(answer))

process.on('message', (request: Request) => {
  if (stopping) reply({ id: request.id, error: 'stopping' })
  else
    answer(request).then(reply, (error: unknown) =>
      reply({ id: request.id, error: error instanceof Error ? error.message : String(error) }),
    )
})
messages.info({ topic }, 'processing')

async function answer(request: Request): Promise<Reply> {
  const { id } = request
  switch (request.ask) {
    case 'append':
      await log.append(request.topic, request.records)
      return { id, done: true }
    case 'ends':
      return { id, ends: (await log.describeTopic(request.topic))?.partitions.map(({ end }) => end) ?? [] }
    case 'covered':
      return { id, ends: await coveredOffsets(log, request.topic) }
  }
}

process.once('SIGTERM', () => {
  stopping = true
  void (async () => {
    await role.stop()
    await closeStore()
    await log.close()
    process.exit(0)
  })()
})
