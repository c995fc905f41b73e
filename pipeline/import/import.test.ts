import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { embeddedLog } from '../adapters/embedded-log.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import type { Log } from '../ports/log.ts'
import { missingKafka, sharedKafka } from '../testing/shared-kafka.ts'
import { moveClock } from '../ticks.ts'
import { uuidText } from '../uuid.ts'
import type { CrashOptions } from './crash.ts'
import { ImportRefused, runImport, type ImportOptions, type ImportOutcome } from './import.ts'
import { readMapping, type Mapping } from './mapping.ts'
import { readTopic, type KeptRecord } from './read-topic.ts'

let directory: string
let log: Log
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'reelpulse-import-test-'))
  log = await embeddedLog(join(directory, 'log'), { maintainEveryMs: 0 })
})
afterAll(async () => {
  await log.close()
  rmSync(directory, { recursive: true })
})

let names = 0
const newTopic = () => `topic-${++names}-${crypto.randomUUID().slice(0, 8)}`
function fileOf(text: string): string {
  const path = join(directory, `file-${++names}`)
  writeFileSync(path, text)
  return path
}

const common = `
fields:
  user_id: { column: user }
  content_id: { column: item }
  platform: { constant: ios }
  app_version: { constant: 8.0.0 }
  channel: { constant: organic }
  region: { constant: CN-31 }
`
const clicks = `
name: clicks
format: csv
csv: { header: false, columns: [user, item, at] }
time: { column: at, unit: s }
behavior: { constant: click }
${common}`

function mapping(yaml: string, more: Partial<Mapping> = {}): Mapping {
  const read = readMapping(yaml, 'mapping.yaml')
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return { ...read.mapping, ...more }
}

function bringIn(topic: string, file: string, options: Partial<ImportOptions> = {}, to: Log = log): Promise<ImportOutcome> {
  return runImport(to, {
    topic,
    partitions: 2,
    file,
    mapping: mapping(clicks),
    currency: 'CNY',
    emitMs: 5_000,
    spoolIn: join(directory, 'spool'),
    ...options,
  })
}

/** Flushes of all partitions by time, as [ms, user, what each event says]. */
const told = (partitions: KeptRecord[][]) =>
  partitions
    .flat()
    .filter(({ batch }) => batch !== undefined)
    .map(({ timestampMs, key, batch }) => [timestampMs, key, batch!.events.map((event) => event.content_id ?? event.behavior).join(' ')])
    .toSorted((a, b) => Number(a[0]) - Number(b[0]))

test('rows come out by time, whatever their order in the file; those of one user and instant are one flush', async () => {
  const topic = newTopic()
  const { state, figures } = await bringIn(topic, fileOf('ann,late,30\nbob,b1,20\nann,a1,20\nann,a2,20\nbob,early,10\n'))
  expect({ state, ...figures }).toEqual({
    state: 'imported', rows: 5, badRows: 0, emptyRows: 0, events: 5, flushes: 4, users: 2, fromMs: 10_000, toMs: 30_000, flushesAppended: 4,
  }) // prettier-ignore
  const kept = await readTopic(log, topic)
  expect(told(kept)).toEqual(expect.arrayContaining([[20_000, 'bob', 'b1'], [20_000, 'ann', 'a1 a2']])) // prettier-ignore
  expect(told(kept).map(([ms]) => ms)).toEqual([10_000, 20_000, 20_000, 30_000])
  for (const { batch, timestampMs, key } of kept.flat())
    if (batch !== undefined) {
      expect(batch.user_id).toBe(key)
      expect([batch.sent_at, ...batch.events.map((event) => event.occurred_at)].every((at) => at === timestampMs)).toBe(true)
    }
})

test("at the end the clock of every partition is past the last row's interval", async () => {
  const topic = newTopic()
  await bringIn(topic, fileOf('ann,x,12\n'))
  const ticks = (await readTopic(log, topic)).map((records) => records.at(-1)!)
  expect(ticks).toHaveLength(2)
  for (const { batch, timestampMs, headers } of ticks)
    expect([batch, timestampMs, headers['reelpulse'], headers['clock_at']]).toEqual([undefined, 15_000, 'tick', '15000'])
})

test("a user's first row by time, not in the file, registers them", async () => {
  const topic = newTopic()
  const file = fileOf('ann,second,20\nann,third,30\nann,first,10\nbob,b,15\n')
  const { figures } = await bringIn(topic, file, { mapping: mapping(clicks, { first_row: 'register' }) })
  expect(figures).toMatchObject({ events: 6, users: 2 })
  expect(told(await readTopic(log, topic))).toEqual([
    [10_000, 'ann', 'register first'],
    [15_000, 'bob', 'register b'],
    [20_000, 'ann', 'second'],
    [30_000, 'ann', 'third'],
  ])
})

test('with flush_s rows near each other share a flush, and each keeps its own time', async () => {
  const topic = newTopic()
  const file = fileOf('ann,a,60\nann,b,75\nbob,x,80\nann,c,119\nann,d,120\n')
  await bringIn(topic, file, { mapping: mapping(clicks, { flush_s: 60 }) })
  const kept = await readTopic(log, topic)
  expect(told(kept)).toEqual([
    [80_000, 'bob', 'x'],
    [119_000, 'ann', 'a b c'],
    [120_000, 'ann', 'd'],
  ])
  const flush = kept.flat().find(({ timestampMs }) => timestampMs === 119_000)!.batch!
  expect([flush.sent_at, ...flush.events.map((event) => event.occurred_at)]).toEqual([119_000, 60_000, 75_000, 119_000])
})

test('a flush holds at most 1,000 events', async () => {
  const topic = newTopic()
  const rows = Array.from({ length: 2_500 }, (_, i) => `ann,i${i},50\n`)
  await bringIn(topic, fileOf(rows.join('')))
  const flushes = (await readTopic(log, topic)).flat().flatMap(({ batch }) => batch ?? [])
  expect(flushes.every(({ events }) => events.length <= 1_000)).toBe(true)
  expect(flushes.flatMap(({ events }) => events.map((event) => event.content_id))).toEqual(rows.map((_, i) => `i${i}`))
})

test('rows of one user that differ in device or channel are flushes of their own', async () => {
  const topic = newTopic()
  const yaml = clicks
    .replace('[user, item, at]', '[user, item, at, from]')
    .replace('channel: { constant: organic }', 'channel: { column: from }')
  await bringIn(topic, fileOf('ann,a,5,ad\nann,b,5,kol\nann,c,5,ad\n'), { mapping: mapping(yaml) })
  const flushes = (await readTopic(log, topic)).flat().flatMap(({ batch }) => batch ?? [])
  expect(flushes.map(({ channel, events }) => [channel, events.map((event) => event.content_id).join(' ')])).toEqual([
    ['kol', 'b'],
    ['ad', 'a c'],
  ])
})

describe('ids', () => {
  const idsOf = (kept: KeptRecord[][]) =>
    kept
      .flat()
      .flatMap(({ batch }) => (batch === undefined ? [] : [batch.batch_id, ...batch.events.map((event) => event.event_id)].map(uuidText)))
  const file = () => fileOf('ann,a,10\nann,b,10\nbob,c,20\n')
  const registering = (name: string) => mapping(clicks, { name, first_row: 'register' })

  test('follow from the name and the line: the same wherever they are made', async () => {
    const [one, two] = [newTopic(), newTopic()]
    await bringIn(one, file(), { mapping: registering('n') })
    await bringIn(two, file(), { mapping: registering('n') })
    const ids = idsOf(await readTopic(log, one))
    expect(new Set(ids).size).toBe(2 + 5)
    expect(ids.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id))).toBe(true)
    expect(idsOf(await readTopic(log, two))).toEqual(ids)
  })

  test('of another name are others', async () => {
    const [one, two] = [newTopic(), newTopic()]
    await bringIn(one, file(), { mapping: registering('n') })
    await bringIn(two, file(), { mapping: registering('m') })
    const ids = new Set([...idsOf(await readTopic(log, one)), ...idsOf(await readTopic(log, two))])
    expect(ids.size).toBe(2 * 7)
  })
})

test('bad rows are told with their lines and why; the others come in', async () => {
  const topic = newTopic()
  const bad: [number, string][] = []
  const lines = [
    'ann,a,10',
    'ann,b',
    'ann,c,soon',
    ',d,10',
    '"ann,e,10',
    'ann,,10',
    `ann,${'x'.repeat(513)},10`,
    'ann,f,-5',
    'ann,"g, or h",20',
  ]
  const { figures } = await bringIn(topic, fileOf(`${lines.join('\n')}\n`), { onBadRow: (line, reason) => bad.push([line, reason]) })
  expect(bad).toEqual([
    [2, '2 cells, not 3'],
    [3, 'time: "soon" is not seconds since 1970'],
    [4, 'user_id: is empty'],
    [5, 'a quote is in the wrong place, or not closed'],
    [6, 'click: missing_field'],
    [7, 'content_id: longer than 512 bytes'],
    [8, 'time: -5 is not between 1970 and 2299'],
  ])
  expect(figures).toMatchObject({ rows: 9, badRows: 7, events: 2 })
  expect(told(await readTopic(log, topic))).toEqual([
    [10_000, 'ann', 'a'],
    [20_000, 'ann', 'g, or h'],
  ])
})

test('a file whose rows are all bad, or that has none, writes nothing', async () => {
  for (const text of ['', '\n\n', 'ann\n']) {
    const topic = newTopic()
    expect(await bringIn(topic, fileOf(text))).toMatchObject({ state: 'imported', figures: { events: 0, flushesAppended: 0 } })
    expect(await log.describeTopic(topic)).toBeUndefined()
  }
})

test('JSON Lines, local times, amounts in yuan, values that mean something else, rows that mean nothing', async () => {
  const topic = newTopic()
  const yaml = `
name: orders
format: jsonl
time: { column: when, unit: iso, zone: Asia/Shanghai }
behavior:
  column: what
  values:
    paid:
      behavior: purchase
      fields: { amount_minor: { column: price.yuan, factor: 100 }, currency: { constant: CNY } }
    watched:
      - behavior: play
        fields: { watch_ms: { column: seconds, factor: 1000 }, duration_ms: { constant: 10000 } }
      - session_end
    heartbeat: []
fields:
  user_id: { column: uid }
  content_id: { column: video }
  category: { column: genre, values: { '1': music, '2': food }, otherwise: other }
  platform: { column: os, values: { A: android, I: ios } }
  app_version: { column: version }
  channel: { constant: organic }
  region: { constant: CN-31 }`
  const rows = [
    { uid: 1, when: '2017-11-25 08:00:00', what: 'paid', price: { yuan: 12.34 }, os: 'A', version: '1', genre: 2 },
    `{"uid": 12345678901234567890, "when": "2017-11-25T00:00:01.250Z", "what": "watched", "seconds": "9.5", "video": "v", "os": "I", "version": "2", "genre": 7}`,
    { uid: 1, when: '2017-11-25T08:00:02+09:00', what: 'heartbeat', os: 'A' },
    { uid: 1, when: '2017-11-25 08:00', what: 'paid', price: { yuan: '0.125' }, os: 'A' },
    { uid: 1, when: '2017-11-25 08:00', what: 'paid', price: { yuan: [1] }, os: 'W' },
    [],
    'not JSON',
  ]
  const bad: [number, string][] = []
  const file = fileOf(rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'))
  const { figures } = await bringIn(topic, file, { mapping: mapping(yaml), onBadRow: (line, reason) => bad.push([line, reason]) })
  expect(figures).toMatchObject({ rows: 7, badRows: 4, emptyRows: 1, events: 3, users: 2 })
  expect(bad.map(([line, reason]) => [line, reason.replace(/(no JSON).*/, '$1')])).toEqual([
    [4, 'amount_minor: "0.125" × 100 is not a whole number of minor units'],
    [5, 'amount_minor: column price.yuan holds an object or a list'],
    [6, 'no JSON'],
    [7, 'no JSON'],
  ])
  const flushes = (await readTopic(log, topic)).flat().flatMap(({ batch }) => batch ?? [])
  const at = Date.UTC(2017, 10, 25)
  expect(flushes.toSorted((a, b) => a.sent_at - b.sent_at)).toMatchObject([
    {
      user_id: '1', device_id: '1', sent_at: at, platform: 'android', app_version: '1',
      events: [{ behavior: 'purchase', amount_minor: 1_234, currency: 'CNY', category: 'food', content_id: null }],
    },
    {
      user_id: '12345678901234567890', sent_at: at + 1_250, platform: 'ios', app_version: '2',
      events: [
        { behavior: 'play', watch_ms: 9_500, duration_ms: 10_000, content_id: 'v', category: 'other' },
        { behavior: 'session_end', watch_ms: null, content_id: 'v' },
      ],
    },
  ]) // prettier-ignore
})

test('a purchase in a currency that is not processed is bad', async () => {
  const yaml = clicks.replace(
    'constant: click',
    'constant: { behavior: purchase, fields: { amount_minor: { constant: 5 }, currency: { constant: USD } } }',
  )
  const bad: string[] = []
  await bringIn(newTopic(), fileOf('ann,a,10\n'), { mapping: mapping(yaml), onBadRow: (_, reason) => bad.push(reason) })
  expect(bad).toEqual(['purchase: currency (USD; what is processed is CNY)'])
})

describe('again', () => {
  const rows = 'ann,a,10\nbob,b,20\nann,c,30\n'

  test('it does nothing, even after the ticks of who processes the topic', async () => {
    const topic = newTopic()
    const file = fileOf(rows)
    await bringIn(topic, file)
    const tick = { key: null, value: null, headers: { reelpulse: Buffer.from('tick') }, timestampMs: 35_000 }
    for (const partition of [0, 1])
      await log.append(
        topic,
        Array.from({ length: 5 }, () => ({ ...tick, partition })),
      )
    const before = await readTopic(log, topic)
    expect(await bringIn(topic, file)).toMatchObject({ state: 'nothing new', figures: { rows: 3, flushesAppended: 0 } })
    expect(await readTopic(log, topic)).toEqual(before)
  })

  test('another file, mapping or currency under the same name is refused', async () => {
    const topic = newTopic()
    const file = fileOf(rows)
    await bringIn(topic, file)
    const before = await readTopic(log, topic)
    await expect(bringIn(topic, fileOf(`${rows}bob,d,40\n`))).rejects.toThrow(/was begun in topic .* with another file .*SHA-256/)
    await expect(bringIn(topic, file, { mapping: mapping(clicks, { flush_s: 5 }) })).rejects.toThrow(/with another mapping/)
    await expect(bringIn(topic, file, { currency: 'USD' })).rejects.toThrow(ImportRefused)
    expect(await readTopic(log, topic)).toEqual(before)
  })

  test('comments and the order of names in a mapping do not matter', async () => {
    const topic = newTopic()
    const file = fileOf(rows)
    await bringIn(topic, file)
    const same = mapping(`# the same\n${clicks.replace('name: clicks\nformat: csv\n', 'format: csv\nname: clicks\n')}`)
    expect(await bringIn(topic, file, { mapping: same })).toMatchObject({ state: 'nothing new' })
  })

  test('a later file under another name may follow in the same topic, and both are known after', async () => {
    const topic = newTopic()
    const [first, second] = [fileOf(rows), fileOf('ann,d,40\nbob,e,50\n')]
    const later = mapping(clicks, { name: 'later' })
    await bringIn(topic, first)
    expect(await bringIn(topic, second, { mapping: later })).toMatchObject({ state: 'imported' })
    expect(told(await readTopic(log, topic)).map(([, , what]) => what)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(await bringIn(topic, first)).toMatchObject({ state: 'nothing new' })
    expect(await bringIn(topic, second, { mapping: later })).toMatchObject({ state: 'nothing new' })
  })
})

describe('refused', () => {
  test('where the clock is past the first row', async () => {
    const topic = newTopic()
    await log.createTopic({ topic, partitions: 2, timestamps: 'create' })
    await moveClock(log, topic, 20_000)
    const before = await readTopic(log, topic)
    await expect(bringIn(topic, fileOf('ann,a,30\nann,b,19\n'))).rejects.toThrow(
      /is at 1970-01-01T00:00:20.000Z already .*past the file's first row \(1970-01-01T00:00:19.000Z\).*--topic/,
    )
    expect(await readTopic(log, topic)).toEqual(before)
    expect(await bringIn(topic, fileOf('ann,a,30\nann,b,20\n'))).toMatchObject({ state: 'imported' })
  })

  test('where the log stamps the records', async () => {
    const topic = newTopic()
    await log.createTopic({ topic, partitions: 2, timestamps: 'append' })
    await expect(bringIn(topic, fileOf('ann,a,30\n'))).rejects.toThrow(/LogAppendTime/)
  })

  test('where others have written since it was begun', async () => {
    const topic = newTopic()
    const file = fileOf(Array.from({ length: 9_000 }, (_, i) => `u${i % 100},i${i},${1_000 + i}\n`).join(''))
    const stop = new AbortController()
    const stopped = await bringIn(topic, file, { signal: stop.signal, onProgress: ({ step }) => step === 'appending' && stop.abort() })
    expect(stopped).toMatchObject({ state: 'stopped' })
    await moveClock(log, topic, 60_000_000)
    await expect(bringIn(topic, file)).rejects.toThrow(/others have written there since/)
  })
})

test('told to stop it stops, and goes on from there', async () => {
  const topic = newTopic()
  const file = fileOf(Array.from({ length: 12_000 }, (_, i) => `u${i % 100},i${i},${1_000 + i}\n`).join(''))
  const stop = new AbortController()
  const stopped = await bringIn(topic, file, { signal: stop.signal, onProgress: ({ step }) => step === 'appending' && stop.abort() })
  expect(stopped.state).toBe('stopped')
  const now = await bringIn(topic, file)
  expect(now.state).toBe('resumed')
  expect(now.figures).toMatchObject({ flushes: 12_000, flushesAppended: 12_000 - stopped.figures.flushesAppended })
  expect(told(await readTopic(log, topic)).map(([, , what]) => what)).toEqual(Array.from({ length: 12_000 }, (_, i) => `i${i}`))
})

test('a dry run says what would come, and writes nothing', async () => {
  const topic = newTopic()
  expect(await bringIn(topic, fileOf('ann,a,10\nann,b\n'), { dryRun: true })).toMatchObject({
    state: 'checked',
    figures: { rows: 2, badRows: 1, events: 1, flushes: 1, flushesAppended: 0 },
  })
  expect(await log.describeTopic(topic)).toBeUndefined()
})

test('what is spooled is gone afterwards; what a dead import left is swept, and what a live one has is not', async () => {
  const spoolIn = join(directory, 'spooled')
  const dead = spawn(process.execPath, ['-e', ''])
  await once(dead, 'exit')
  mkdirSync(join(spoolIn, `reelpulse-import-${dead.pid}-abc`), { recursive: true })
  mkdirSync(join(spoolIn, `reelpulse-import-${process.ppid}-abc`))
  const file = fileOf(Array.from({ length: 3_000 }, (_, i) => `u${i % 7},i${i},${(i * 7_919) % 3_001}\n`).join(''))
  let spooled = 0
  const [small, large] = [newTopic(), newTopic()]
  await bringIn(small, file, {
    spoolIn,
    memoryBytes: 2_000,
    onProgress({ step }) {
      if (step === 'appending') spooled = Math.max(spooled, readdirSync(spoolIn).length)
    },
  })
  expect(readdirSync(spoolIn)).toEqual([`reelpulse-import-${process.ppid}-abc`])
  await bringIn(large, file)
  const bare = (kept: KeptRecord[][]) => kept.map((records) => records.map(({ offset: _, ...rest }) => rest))
  expect(bare(await readTopic(log, small))).toEqual(bare(await readTopic(log, large)))
  expect(existsSync(join(directory, 'spool'))).toBe(false)
})

const missing = await missingKafka()
const crashScript = fileURLToPath(new URL('crash.ts', import.meta.url))

describe('killed (SIGKILL) at any append and run again, each record is there once, in order', () => {
  /** Dies over and over, then ends; the topic must hold what an import in one go writes. */
  async function dieAndGoOn(at: CrashOptions['at'], topic: string, random: () => number): Promise<{ file: string; deaths: number }> {
    // Not in order of time, some rows of one second.
    const file = fileOf(Array.from({ length: 12_000 }, (_, i) => `u${i % 331},i${i},${1_000 + ((i * 7_919) % 9_001)}\n`).join(''))
    const whens = ['before', 'during', 'after'] as const
    let deaths = 0
    for (let run = 0; ; run++) {
      const options: CrashOptions = {
        at,
        import: {
          topic, partitions: 3, file, mapping: mapping(clicks), currency: 'CNY', emitMs: 5_000, spoolIn: join(directory, 'crash'), memoryBytes: 200_000,
        },
        append: run < 20 ? 1 + Math.floor(random() * 3) : null,
        when: whens[Math.floor(random() * 3)]!,
      } // prettier-ignore
      const child = spawn(process.execPath, [crashScript, JSON.stringify(options)], { stdio: ['ignore', 'ignore', 'pipe'] })
      const errors: Buffer[] = []
      child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
      const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
      if (code === 0) return { file, deaths }
      expect({ code, signal, errors: Buffer.concat(errors).toString() }).toEqual({ code: null, signal: 'SIGKILL', errors: '' })
      deaths++
    }
  }

  function seeded() {
    let seed = 1 + Math.floor(Math.random() * 2_000_000_000)
    const first = seed
    return { first, random: () => ((seed = (Math.imul(seed, 48_271) >>> 0) % 2_147_483_647) - 1) / 2_147_483_646 }
  }

  /** What lies in the log, but for offsets. */
  async function contents(of: Log, topic: string) {
    return (await readTopic(of, topic)).map((records) => records.map(({ offset: _, ...rest }) => rest))
  }

  test('on the embedded log', async () => {
    const { first, random } = seeded()
    const own = join(directory, 'crashed')
    const { file, deaths } = await dieAndGoOn({ directory: own }, 'crashed', random)
    const crashed = await embeddedLog(own, { maintainEveryMs: 0 })
    try {
      await bringIn('whole', file, { partitions: 3 }, crashed)
      expect(deaths, `seed ${first}`).toBeGreaterThan(0)
      expect(await contents(crashed, 'crashed'), `seed ${first}`).toEqual(await contents(crashed, 'whole'))
    } finally {
      await crashed.close()
    }
  })

  test.skipIf(missing !== undefined)(`on Kafka${missing === undefined ? '' : `: ${missing}`}`, async () => {
    const { first, random } = seeded()
    const brokers = await sharedKafka()
    const topic = newTopic()
    const { file, deaths } = await dieAndGoOn({ brokers }, topic, random)
    const kafka = kafkaLog({ brokers: [brokers] })
    try {
      const whole = newTopic()
      await bringIn(whole, file, { partitions: 3 }, kafka)
      expect(deaths, `seed ${first}`).toBeGreaterThan(0)
      expect(await contents(kafka, topic), `seed ${first}`).toEqual(await contents(kafka, whole))
    } finally {
      await kafka.close()
    }
  })
})
