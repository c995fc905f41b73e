// History from a file into a topic: read, mapped, ordered by time, put together into flushes and appended, each exactly once.
import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { partitionOf } from '../../operators/hash.ts'
import { singleObjectWriter } from '../../schemas/avro-encode.ts'
import { behaviorBatch } from '../../schemas/behavior-batch.ts'
import type { Log, OutRecord } from '../ports/log.ts'
import { moveClock } from '../ticks.ts'
import { externalSort, type ExternalSort } from './external-sort.ts'
import { flushMaker, type ImportFlush } from './flushes.ts'
import { lineReader } from './lines.ts'
import { columnsOf, mappingDigest, type Mapping } from './mapping.ts'
import { importDigest, importHeaders, importProgress, type PartitionProgress } from './progress.ts'
import { recordsOf } from './records.ts'
import { rowMapper, type RowResult } from './row.ts'
import { openSpool } from './spool.ts'

export type ImportOptions = {
  topic: string
  /** Of a topic that has to be created. */
  partitions: number
  file: string
  mapping: Mapping
  /** The one that is processed. */
  currency: string
  /** At the end the clock is moved to the next multiple of this, so that the last intervals end (ms). */
  emitMs: number
  /** Where rows are spooled that memory does not hold. */
  spoolIn: string
  /** Bytes of rows in memory. */
  memoryBytes?: number
  /** Reads and checks everything, and appends nothing. */
  dryRun?: boolean
  onBadRow?: (line: number, reason: string) => void
  onProgress?: (progress: ImportStep) => void
  /** Aborted: stops after what is under way. */
  signal?: AbortSignal
}

export type ImportStep =
  | { step: 'reading'; rows: number; bytes: number; ofBytes: number }
  | { step: 'appending'; rows: number; ofRows: number; atMs: number }

export type ImportOutcome = {
  /** `nothing new`: all of it was in the topic already. `stopped`: told to, and not done. */
  state: 'imported' | 'resumed' | 'nothing new' | 'checked' | 'stopped'
  figures: ImportFigures
}

export type ImportFigures = {
  /** Of the file: all, those that were bad, those that stand for no event. */
  rows: number
  badRows: number
  emptyRows: number
  /** What the good ones give, in the topic before or now. */
  events: number
  flushes: number
  users: number
  fromMs: number | undefined
  toMs: number | undefined
  /** This time. */
  flushesAppended: number
}

/** The topic cannot take this import; the message says why, and what to do. */
export class ImportRefused extends Error {
  override name = 'ImportRefused'
}

const recordsPerAppend = 2_000
const bytesPerAppend = 4_000_000
/** Rows after which others have their turn, where nothing is waited for. */
const rowsPerTurn = 5_000

export async function runImport(log: Log, options: ImportOptions): Promise<ImportOutcome> {
  const { topic, mapping, file } = options
  const described = await log.describeTopic(topic)
  if (described?.timestamps === 'append')
    throw new ImportRefused(
      `topic ${topic} stamps records itself (LogAppendTime), so history cannot keep its times there: import into a topic of its own (--topic)`,
    )
  const before = await importProgress(log, topic, mapping.name)
  const own = before.flatMap((partition) => (partition.own === undefined ? [] : [partition.own]))
  const digestOfMapping = mappingDigest(mapping, options.currency)
  const checkSame = (fileDigest: string) => refuseOther(own[0]?.digest, importDigest(fileDigest, digestOfMapping), options)

  if (own.length > 0 && own.length === before.length && own.every(({ ended }) => ended) && options.dryRun !== true) {
    checkSame(await digestOf(file))
    return { state: 'nothing new', figures: { ...noFigures, rows: own[0]!.ordinal } }
  }

  const spool = openSpool(options.spoolIn)
  try {
    const read = await readRows(options, spool.directory)
    if (read === undefined) return { state: 'stopped', figures: noFigures }
    const { sort, figures } = read
    if (options.dryRun !== true) {
      checkSame(read.fileDigest)
      if (figures.fromMs !== undefined) refuseLater(before, figures.fromMs, options)
    }
    const digest = importDigest(read.fileDigest, digestOfMapping)
    return await appendRows(log, options, { sort, read, figures, before, digest })
  } finally {
    spool.remove()
  }
}

const noFigures: ImportFigures = {
  rows: 0, badRows: 0, emptyRows: 0, events: 0, flushes: 0, users: 0, fromMs: undefined, toMs: undefined, flushesAppended: 0,
} // prettier-ignore

type Read = {
  sort: ExternalSort
  figures: ImportFigures
  fileDigest: string
  rowOf: (raw: Buffer, known?: boolean) => RowResult
  goodRows: number
}

/** Undefined: told to stop. */
async function readRows(options: ImportOptions, directory: string): Promise<Read | undefined> {
  const { mapping, file, signal, onProgress } = options
  const { memoryBytes } = options
  const sort = externalSort({ directory, ...(memoryBytes === undefined ? {} : { memoryBytes }) })
  const { records, cellsOf } = recordsOf(mapping, [...new Set(columnsOf(mapping).map(([, column]) => column))])
  const toRow = rowMapper(mapping, options.currency)
  const rowOf = (raw: Buffer, known?: boolean) => toRow(cellsOf(raw), known)
  const figures = { ...noFigures }
  let goodRows = 0

  const take = (found: ReturnType<typeof records.take>) => {
    for (const record of found) {
      figures.rows++
      const result: RowResult = 'bad' in record ? { ok: false, reason: record.bad } : rowOf(record.raw)
      if (!result.ok) {
        figures.badRows++
        options.onBadRow?.(record.line, result.reason)
      } else if (result.row.deeds.length === 0) figures.emptyRows++
      else if ('raw' in record) {
        const { atMs } = result.row
        goodRows++
        figures.fromMs = Math.min(figures.fromMs ?? Infinity, atMs)
        figures.toMs = Math.max(figures.toMs ?? -Infinity, atMs)
        sort.add({ atMs, line: record.line, raw: record.raw })
      }
    }
  }
  const ofBytes = statSync(file).size
  const reader = lineReader(file)
  for await (const lines of reader.chunks()) {
    if (signal?.aborted === true) return undefined
    take(records.take(lines))
    onProgress?.({ step: 'reading', rows: figures.rows, bytes: reader.bytesRead(), ofBytes })
  }
  take(records.end())
  return { sort, figures, fileDigest: reader.digest(), rowOf, goodRows }
}

type Prepared = { sort: ExternalSort; read: Read; figures: ImportFigures; before: readonly PartitionProgress[]; digest: string }

async function appendRows(log: Log, options: ImportOptions, prepared: Prepared): Promise<ImportOutcome> {
  const { topic, mapping, signal, dryRun = false } = options
  const { sort, read, figures, before, digest } = prepared
  const isNew = before.every(({ own }) => own === undefined)
  const flushes = flushMaker({ name: mapping.name, flushMs: mapping.flush_s * 1000, registers: mapping.first_row === 'register' })
  const done = () => Object.assign(figures, flushes.counts())
  if (read.goodRows === 0) return { state: dryRun ? 'checked' : 'imported', figures: done() }
  if (before.length === 0 && !dryRun) await log.createTopic({ topic, partitions: options.partitions, timestamps: 'create' })
  const partitionCount = before.length || options.partitions

  const writer = singleObjectWriter(behaviorBatch)
  const encoder = new TextEncoder()
  const headersOf = importHeaders(mapping.name, digest)
  let records: OutRecord[] = []
  let bytes = 0
  let underWay: Promise<void> = Promise.resolve()

  const put = ({ batch, atMs, ordinal }: ImportFlush) => {
    if (dryRun) return
    const key = encoder.encode(batch.user_id)
    const partition = partitionOf(key, partitionCount)
    if (ordinal <= (before[partition]?.own?.ordinal ?? -1)) return
    const value = writer.encode(batch).slice()
    records.push({ key, value, partition, timestampMs: atMs, headers: headersOf(ordinal) })
    bytes += value.length
    figures.flushesAppended++
  }
  /** One append is under way at a time: a partition never holds a record without those before it. */
  const append = async () => {
    await underWay
    if (records.length > 0) underWay = log.append(topic, records)
    underWay.catch(() => {})
    records = []
    bytes = 0
  }

  for (const { atMs, line, raw } of sort.sorted()) {
    const result = read.rowOf(raw, true)
    if (!result.ok) throw new Error(`line ${line} was good when it was read first, and now is not: ${result.reason}`)
    for (const flush of flushes.take({ ...result.row, line })) put(flush)
    if (records.length >= recordsPerAppend || bytes >= bytesPerAppend) await append()
    if (flushes.rows() % rowsPerTurn === 0) {
      await new Promise((resolve) => setImmediate(resolve))
      options.onProgress?.({ step: 'appending', rows: flushes.rows(), ofRows: read.goodRows, atMs })
      if (signal?.aborted === true) {
        await append()
        await underWay
        return { state: 'stopped', figures: done() }
      }
    }
  }
  for (const flush of flushes.end()) put(flush)
  await append()
  await underWay
  if (!dryRun) {
    const endMs = (Math.floor(figures.toMs! / options.emitMs) + 1) * options.emitMs
    const open = Array.from({ length: partitionCount }, (_, partition) => partition).filter((at) => before[at]?.own?.ended !== true)
    await moveClock(log, topic, endMs, { headers: headersOf(read.goodRows), partitions: open })
  }
  return { state: dryRun ? 'checked' : isNew ? 'imported' : 'resumed', figures: done() }
}

function refuseOther(was: string | undefined, is: string, { topic, mapping, file }: ImportOptions): void {
  if (was === undefined || was === is) return
  const [wasFile] = was.split('.')
  const [isFile] = is.split('.')
  const begun = `import ${mapping.name} was begun in topic ${topic}`
  const other = 'or import under another name into another topic'
  throw new ImportRefused(
    wasFile === isFile
      ? `${begun} with another mapping (or currency): go on with that one, ${other}`
      : `${begun} with another file (its SHA-256 begins with ${wasFile}, that of ${file} with ${isFile}): bring that file back, ${other}`,
  )
}

function refuseLater(before: readonly PartitionProgress[], fromMs: number, { topic, mapping }: ImportOptions): void {
  const instant = (ms: number) => new Date(ms).toISOString()
  before.forEach(({ own, clockMs }, partition) => {
    if (own === undefined && clockMs > fromMs)
      throw new ImportRefused(
        `topic ${topic} is at ${instant(clockMs)} already (partition ${partition}), past the file's first row (${instant(fromMs)}), and time does not go back in a topic: import into a topic of its own (--topic)`,
      )
    if (own !== undefined && clockMs > own.clockMs)
      throw new ImportRefused(
        `import ${mapping.name} was begun in topic ${topic} and others have written there since (partition ${partition} is at ${instant(clockMs)}, the import had come to ${instant(own.clockMs)}): import anew into a topic of its own (--topic)`,
      )
  })
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) hash.update(chunk)
  return hash.digest('hex')
}
