// `reelpulse import`: history from CSV or JSON Lines into a topic of its own.
import { z } from 'zod'
import { pick } from '../../config/group.ts'
import { dataSettings, logSettings, processSettings, topicSettings } from '../../config/groups.ts'
import { defaultTopic } from '../../config/names.ts'
import { WrongSetting } from '../../config/value.ts'
import { behaviorOnly } from '../behavior-only.ts'
import { defineCommand, exitFailed, exitFinding, exitGood, UsageError } from '../command.ts'

const badRowsShown = 20

export const command = defineCommand({
  name: 'import',
  summary: 'bring in history from CSV or JSON Lines through a mapping file',
  help: `The mapping (YAML or JSON; docs/guide/import.md) says which columns become which fields, what a row's values stand for, and how
to read its time. Rows are ordered by time, whatever their order in the file and however large it is, put together into flushes, and
appended with their own times (CreateTime) into a topic of its own; at the end a tick moves its clock past the last row.

A row that cannot be read or would not count is bad: it is reported with its line and the reason, and left out; all good rows are
imported. Where any was bad the command exits 1.

It may be killed and run again: what is in the topic already is not written twice, and once all of it is there, nothing is done. The
file and mapping must then be the same. Ids of events follow from the import's name and the line.`,
  examples: [
    ['import shopping.csv --mapping docs/examples/shopping-log.mapping.yaml --topic shopping', 'Into topic shopping, made as needed.'],
    ['import shopping.csv --mapping shopping.yaml --dry-run --rejects bad.jsonl', 'Only look: what would come of it, and every bad row.'],
  ],
  positionals: [{ name: 'file', doc: 'CSV or JSON Lines, as the mapping says.' }],
  flags: z.object({
    mapping: z.string().describe('The mapping file.'),
    rejects: z.string().optional().describe('Write every bad row here: one line of JSON each, with line and reason.'),
    dryRun: z.boolean().default(false).describe('Read and check everything, append nothing.'),
  }),
  settings: {
    data: dataSettings,
    topic: pick(topicSettings, ['topic', 'partitions']),
    log: logSettings,
    process: pick(processSettings, ['currency', 'emitS']),
  },
  json: true,
  async run({ flags, settings, positionals, print, note, result, signal }) {
    const [{ openLog }, { readMapping }, { ImportRefused, runImport }, { WrongHeader }, { rejectsFile }, fs, os, path] = await Promise.all([
      import('../../adapters/open.ts'),
      import('../../import/mapping.ts'),
      import('../../import/import.ts'),
      import('../../import/records.ts'),
      import('../../import/rejects-file.ts'),
      import('node:fs'),
      import('node:os'),
      import('node:path'),
    ])
    const { topic, partitions } = settings.topic
    behaviorOnly(topic, 'import')
    const [file] = positionals as [string]
    if (topic === defaultTopic)
      throw new UsageError(
        `${defaultTopic} is for live traffic, whose time is the log's; history needs a topic of its own: add --topic history`,
      )
    const readable = (name: string) => {
      if (!fs.statSync(name, { throwIfNoEntry: false })?.isFile()) throw new UsageError(`${name} is no file`)
      return name
    }
    const read = readMapping(fs.readFileSync(readable(flags.mapping), 'utf8'), flags.mapping)
    if (!read.ok) throw new WrongSetting(read.problems)
    readable(file)

    const startedAt = performance.now()
    let toldAt = startedAt
    let badRows = 0
    const rejects = flags.rejects === undefined ? undefined : rejectsFile(flags.rejects)
    const log = await openLog(settings)
    try {
      const { state, figures } = await runImport(log, {
        topic,
        partitions,
        file,
        mapping: read.mapping,
        currency: settings.process.currency,
        emitMs: settings.process.emitS * 1000,
        spoolIn: settings.log.brokers.length === 0 ? path.join(settings.data.dir, 'import') : os.tmpdir(),
        dryRun: flags.dryRun,
        signal,
        onBadRow(line, reason) {
          rejects?.add(line, reason)
          if (++badRows <= badRowsShown) note(`${file}, line ${line}: ${reason}`)
        },
        onProgress(progress) {
          if (performance.now() - toldAt < 1_000) return
          toldAt = performance.now()
          note(
            progress.step === 'reading'
              ? `read ${count(progress.rows)} rows, ${percent(progress.bytes, progress.ofBytes)}`
              : `appended ${count(progress.rows)} of ${count(progress.ofRows)} rows, ${instant(progress.atMs)}`,
          )
        },
      })
      if (badRows > badRowsShown)
        note(
          `… and ${count(badRows - badRowsShown)} more bad rows${flags.rejects === undefined ? ' (--rejects <file> writes all of them)' : ''}`,
        )
      const { fromMs, toMs, ...counts } = figures
      const seconds = (performance.now() - startedAt) / 1000
      if (state === 'nothing new')
        print(`${topic}: ${read.mapping.name} is there already, all ${count(figures.rows)} rows of it; nothing was done`)
      else if (state === 'stopped') print(`${topic}: stopped before the end; the same command goes on from here`)
      else
        print(
          `${flags.dryRun ? 'not written' : topic}: ${count(figures.rows)} rows, ${count(figures.badRows)} of them bad` +
            `${figures.emptyRows === 0 ? '' : ` and ${count(figures.emptyRows)} without events`}; ` +
            `${count(figures.events)} events of ${count(figures.users)} users in ${count(figures.flushes)} flushes` +
            (state === 'resumed' ? `, ${count(figures.flushesAppended)} of them now` : '') +
            `${fromMs === undefined ? '' : `, ${instant(fromMs)} to ${instant(toMs!)}`}; ${count(figures.rows / seconds)} rows/s`,
        )
      result({
        topic,
        name: read.mapping.name,
        state,
        ...counts,
        from: fromMs === undefined ? null : instant(fromMs),
        to: toMs === undefined ? null : instant(toMs),
        elapsed_s: seconds,
      })
      return state === 'stopped' ? exitFailed : figures.badRows > 0 ? exitFinding : exitGood
    } catch (error) {
      if (error instanceof ImportRefused) throw new UsageError(error.message)
      if (error instanceof WrongHeader) throw new UsageError(`${file}: ${error.message}`)
      throw error
    } finally {
      rejects?.close()
      await log.close()
    }
  },
})

const count = (value: number) => Math.round(value).toLocaleString('en-US')
const percent = (part: number, of: number) => `${Math.round((part / Math.max(1, of)) * 100)} %`
const instant = (ms: number) => new Date(ms).toISOString()
