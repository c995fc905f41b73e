// `reelpulse replay` as it is run, on a real broker: killed midway, run again, run a third time.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import { exitFailed, exitGood, exitUsage } from '../cli/command.ts'
import { databaseOf } from '../config/names.ts'
import type { Log } from '../ports/log.ts'
import { missingKafka, sharedKafka } from '../testing/shared-kafka.ts'
import { encode, event, flush, idsOf, userOf, utf8, world } from './hand-made.ts'

const bin = fileURLToPath(new URL('../cli/bin.js', import.meta.url))
const missing = await missingKafka()
const dir = mkdtempSync(join(tmpdir(), 'reelpulse-replay-kafka-'))
const topic = `replay-${Date.now()}`
let engine: EmbeddedEngine
let log: Log
let brokers: string

beforeAll(async () => {
  if (missing !== undefined) return
  brokers = await sharedKafka()
  engine = await openEmbeddedEngine({ dataDir: dir })
  log = kafkaLog({ brokers: [brokers] })
})
afterAll(async () => {
  await log?.close()
  await engine?.close()
  rmSync(dir, { recursive: true, force: true })
})

function start(...words: string[]) {
  // The launcher's child is the program: as a group, both can be killed.
  const child = spawn(process.execPath, [bin, 'replay', '--topic', topic, '--wait-s', '0', ...words], {
    env: { ...process.env, REELPULSE_DATA: dir, KAFKA_BROKERS: brokers, CLICKHOUSE_URL: '' },
    detached: true,
  })
  const [out, err]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  return {
    kill() {
      try {
        process.kill(-child.pid!, 'SIGKILL')
      } catch (error) {
        // It has just ended by itself.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    },
    isRunning: () => child.exitCode === null,
    async ended() {
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
      const text = Buffer.concat(out).toString()
      const figures = () => JSON.parse(text.trim().split('\n').at(-1)!) as Record<string, unknown>
      return { code: child.exitCode, out: text, err: Buffer.concat(err).toString(), figures }
    },
  }
}

describe.skipIf(missing !== undefined)(`replay on a real broker${missing === undefined ? '' : ` (${missing})`}`, () => {
  test('killed midway and run again, every event is there once', async () => {
    const one = world(log, engine.store(databaseOf(topic)), topic, 'append')
    await one.begin()
    // Large enough that they are read, and appended, in several batches.
    const flushes = Array.from({ length: 1_200 }, (_, n) =>
      flush(
        userOf(0, n % 50),
        Array.from({ length: 8 }, () => event({ query: 'q'.repeat(500) })),
      ),
    )
    for (let from = 0; from < flushes.length; from += 200)
      await log.append(
        topic,
        flushes.slice(from, from + 200).map((batch) => ({ key: utf8(batch.user_id), value: encode(batch), partition: 1 })),
      )
    await one.process()
    expect(await one.stored()).toEqual([])
    const before = await one.ends()

    const told = await start('--dry-run', '--json').ended()
    expect(told.code, told.err).toBe(exitGood)
    const figures = {
      records: 1_200,
      flushes_appended: 1_200,
      events_appended: 9_600,
      events_already_there: 0,
      still_rejected: {},
      not_replayable: {},
    }
    expect(told.figures()).toMatchObject({ ...figures, dry_run: true })
    expect(await one.ends()).toEqual(before)

    const killed = start()
    while (killed.isRunning() && (await one.ends())[0] === before[0]) await sleep(1)
    killed.kill()
    await killed.ended()
    // All 1,200 where it was faster than we are: the claims are the same.
    const appended = (await one.ends())[0]! - before[0]!
    expect(appended).toBeGreaterThan(0)

    const refused = await start().ended()
    expect(refused.code).toBe(exitFailed)
    // To where exactly: a tick of the last moment may lie beyond its last checkpoint.
    expect(refused.err).toMatch(
      new RegExp(
        `what lies unprocessed in topic ${topic} may hold the same events \\(partition 0 is processed to offset [0-9]+ of ${before[0]! + appended}\\)`,
      ),
    )
    await one.process()
    const rest = (await start('--json').ended()).figures()
    expect(rest).toMatchObject({ records: 1_200, flushes_appended: 1_200 - appended, events_already_there: appended * 8 })
    await one.process()
    expect((await start('--json').ended()).figures()).toMatchObject({ events_appended: 0, events_already_there: 9_600 })
    const range = await start('--partition', '1', '--from', '100', '--to', '400', '--json').ended()
    expect(range.figures()).toMatchObject({ records: 300, events_appended: 0, events_already_there: 2_400 })
    const beyond = await start('--partition', '2', '--from', '0').ended()
    expect(beyond).toMatchObject({ code: exitFailed, err: expect.stringContaining(`topic ${topic} has partitions 0 to 1, no 2`) as string })
    expect(await one.stored()).toEqual(idsOf(...flushes))
    // Rows come when the log's time has passed; what is there must be right.
    expect(await one.verify()).toMatchObject({ rowsDiffer: 0, findings: [] })
  }, 300_000)

  test.each([
    ['--from=3', '--from and --to are offsets of one partition: add --partition'],
    ['--partition=0', '--partition needs --from, the first offset'],
    ['--partition=0 --from=3 --to=2', '--to 2 is before --from 3'],
    ['--partition=0 --from=3 --reason=too_old', 'choose among rejected records'],
    ['--reason=nonsense', 'reasons among bad_header, unknown_schema'],
    ['--since=yesterday', 'a time such as'],
  ])('%s is refused', async (words, message) => {
    const { code, err } = await start(...words.split(' ')).ended()
    expect(code).toBe(exitUsage)
    expect(err).toContain(message)
  })
})
