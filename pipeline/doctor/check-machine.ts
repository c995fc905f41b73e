// Checks of this machine and its settings.
import type { DataDirFacts, MachineFacts, Place, LogFacts } from './facts.ts'
import { findingsOf, gib, span, type Finding } from './finding.ts'

const leastNode = 24
const gibibyte = 2 ** 30
export const freeWarning = 5 * gibibyte
export const freeProblem = 1 * gibibyte
/** Inserts a second for each table: ClickHouse merges parts, and each insert is one. */
const insertsPerSecond = 2

export function checkMachine(facts: MachineFacts, log: Place<LogFacts>): Finding[] {
  const found = [checkNode(facts), checkStoreBesideKafka(facts), checkInsertRate(facts, log)]
  if (facts.dataDir !== undefined)
    found.push(checkFree(facts.dataDir), checkEngineJson(facts.dataDir), ...(facts.settings.brokers ? [] : [checkHolder(facts.dataDir)]))
  return found
}

function checkNode({ nodeVersion }: MachineFacts): Finding {
  const say = findingsOf('machine', 'node', 'older ones do not run TypeScript as it is')
  const major = Number(/^v?(\d+)/.exec(nodeVersion)?.[1])
  if (major >= leastNode) return say.ok(`Node ${nodeVersion}`)
  return say.problem(`Node ${nodeVersion}, older than ${leastNode}`, 'npm ci, and start with npx reelpulse: it brings its own')
}

function checkStoreBesideKafka({ settings, dataDir }: MachineFacts): Finding {
  const say = findingsOf('machine', 'settings', 'all processes of a group must write to one store')
  if (!settings.brokers || settings.clickhouse) return say.ok('log and store are set for the same number of machines')
  return say.warning(
    `KAFKA_BROKERS is set and CLICKHOUSE_URL is not: tables are in ${dataDir?.path ?? 'the data directory'} of this machine alone`,
    'set CLICKHOUSE_URL, unless this is the only process of its group',
  )
}

function checkInsertRate({ settings }: MachineFacts, log: Place<LogFacts>): Finding {
  const say = findingsOf('machine', 'insert rate', 'every insert is a part that ClickHouse has to merge')
  if (log.state !== 'found') return say.unchecked('the number of partitions is not known')
  const partitions = log.facts.topics.input?.partitions.length ?? 0
  const perSecond = partitions / (settings.blockSpanMs / 1000)
  const found = `${partitions} partitions, a block every ${span(settings.blockSpanMs)}: ${Number(perSecond.toFixed(2))} inserts a second into a table`
  if (perSecond <= insertsPerSecond) return say.ok(found)
  return say.warning(found, `set REELPULSE_BLOCK_SPAN_S=${Math.ceil(partitions / insertsPerSecond)}`)
}

function checkFree({ path, freeBytes }: DataDirFacts): Finding {
  const say = findingsOf('machine', 'free space', 'a full disk stops the log and the engine')
  if ('unknown' in freeBytes) return say.unchecked(freeBytes.unknown, path)
  const found = `${gib(freeBytes.value)} free`
  const fix = 'make room on that disk, or move the directory (REELPULSE_DATA)'
  if (freeBytes.value < freeProblem) return say.problem(found, fix, path)
  return freeBytes.value < freeWarning ? say.warning(found, fix, path) : say.ok(found, path)
}

function checkEngineJson({ path, engineJsonMode: mode }: DataDirFacts): Finding {
  const say = findingsOf('machine', 'engine.json', "the engine's passwords are in it")
  if (mode === undefined) return say.ok('not there yet')
  const found = `permissions ${mode.toString(8).padStart(3, '0')}`
  return (mode & 0o077) === 0 ? say.ok(found) : say.problem(`${found}: others can read it`, `chmod 600 ${path}/engine.json`)
}

function checkHolder({ logHolder }: DataDirFacts): Finding {
  const say = findingsOf('machine', 'lock', 'one process at a time has the embedded log')
  if ('unknown' in logHolder) return say.unchecked(logHolder.unknown)
  return say.ok(logHolder.value === undefined ? 'nobody has the log' : `${logHolder.value} has the log; it was only looked into`)
}
