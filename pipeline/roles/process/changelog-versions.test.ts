// Changelogs as each version wrote them, frozen: fixtures/changelog-v<n>.json, of the log in fixtures/changelog-log.json. Version 3 has
// marks beside what version 2 has.
import { keptState } from '../../../operators/partition/kept-state.ts'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { murmur2 } from '../../../operators/hash.ts'
import { partitionOperator } from '../../../operators/partition/partition.ts'
import { stateVersion } from '../../../operators/partition/state.ts'
import { defaultSettings, type OperatorSettings } from '../../../operators/settings.ts'
import { recordBatch, type LogRecord } from '../../../operators/testing/generate.ts'
import { nastyUsers } from '../../../operators/testing/nasty-log.ts'
import { decodeRows } from '../../../schemas/row-binary.ts'
import { kpiDeltasTable } from '../../../schemas/tables/kpi-deltas.ts'
import type { OutRecord } from '../../ports/log.ts'
import { checkpointRecord, UnknownChangelog } from './checkpoint.ts'
import { restorer } from './restore.ts'
import { fastBlocks, type FastBlock } from './run-blocks.ts'
import { settingsHindrance } from './settings-kept.ts'

type Bytes = string | null
const json = (name: string) => JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as unknown
const bytes = (base64: Bytes) => (base64 === null ? null : new Uint8Array(Buffer.from(base64, 'base64')))

type Figures = { user: string; rung: number; firstSeenAt: number; lastSeenAt: number; purchases: number; amountMinor: number }
  & { activeDays30: number; region: string; tops: number; sums: number[] } // prettier-ignore
const frozen = json('changelog-log') as {
  partition: number
  partitionCount: number
  settings: OperatorSettings
  figures: Figures[]
  records: [number, number, Bytes, Bytes, Record<string, string> | null][]
}
const { partition, partitionCount, settings } = frozen
const records = frozen.records.map(([offset, timestampMs, key, value, headers]): LogRecord => ({
  offset, timestampMs, key: bytes(key), value: bytes(value),
  headers: headers === null ? undefined : Object.fromEntries(Object.entries(headers).map(([name, header]) => [name, bytes(header)!])),
})) // prettier-ignore
const changelogOf = (version: number): OutRecord[] =>
  (json(`changelog-v${version}`) as { changelog: [Bytes, Bytes][] }).changelog.map(([key, value]) => ({
    key: bytes(key),
    value: bytes(value),
  }))

function restored(changelog: readonly OutRecord[], others: Partial<OperatorSettings> = {}) {
  const ignore = () => {}
  const sink = { accepted: ignore, rejectedEvent: ignore, rejectedRecord: ignore, features: ignore, tierChanged: ignore }
  const operator = partitionOperator({
    settings: { ...settings, ...others }, partition, partitionCount, operators: 'all', resolve: () => 'unknown_schema', sink,
  }) // prettier-ignore
  const into = restorer(keptState(operator.state))
  const batch = changelog.map(({ key, value }, offset) => ({ offset, timestampMs: 0, key, value, headers: undefined }))
  into.take(recordBatch(0, batch))
  return { operator, ...into.done() }
}

const withName = (changelog: readonly OutRecord[], prefix: string) =>
  changelog.findLastIndex(({ key, value }) => value !== null && new TextDecoder().decode(key!).startsWith(prefix))

/** Marks were not kept then: the first to come after are counted, as nobody was counted before. */
function withoutDistinct(block: FastBlock): unknown {
  const rows = block.parts['kpi_deltas']!.flatMap((part) => decodeRows(kpiDeltasTable.record, part))
  const kpiDeltas = rows.map((row) => ({ ...row, active_users: 0, engaged_users: 0, buyers: 0, sessions: 0 }))
  // Nor is the order of cells anybody's promise.
  const inOrder = kpiDeltas.map((row) => JSON.stringify(row)).toSorted()
  return { ...block, parts: { ...block.parts, kpi_deltas: inOrder } }
}

describe.each([1, 2, 3])('a changelog of version %i', (version) => {
  const changelog = changelogOf(version)

  test('has the figures that it was written with', () => {
    const { operator } = restored(changelog)
    const at = operator.clock()
    for (const { user, rung, sums, region, ...wanted } of frozen.figures) {
      const id = bytes(user)!
      const slot = Array.from({ length: operator.users.count() }, (_, s) => s).find((s) => Buffer.compare(operator.users.id(s), id) === 0)!
      operator.windows.slide(slot, at)
      const { lives, tastes, dictionaries, days } = operator
      expect([operator.rung(slot), dictionaries.region.names[lives.region(slot)]]).toEqual([rung, region])
      expect([...operator.windows.sums(slot)]).toEqual(sums)
      expect(wanted).toMatchObject({
        firstSeenAt: lives.firstSeenAt(slot), lastSeenAt: lives.lastSeenAt(slot), purchases: lives.purchases(slot),
        amountMinor: lives.amountMinor(slot), activeDays30: lives.activeDays(slot, days.dayOf(at), 30), tops: tastes.rank(slot, at),
      }) // prettier-ignore
    }
  })

  test('is gone on with as if the run had never stopped', () => {
    const { checkpoint } = restored(changelog)
    const log = { settings, partition, partitionCount, records }
    const whole = fastBlocks(log, { limits: { blockEvents: 1e9, blockBytes: 1e9, partRows: 1e9, partBytes: 1e9 } })
    // Blocks end with ticks here: those that begin behind the checkpoint are comparable whole.
    const rest = fastBlocks(log, { limits: { blockEvents: 1e9, blockBytes: 1e9, partRows: 1e9, partBytes: 1e9 }, changelog })
    const comparable = whole.filter(({ firstOffset }) => firstOffset >= checkpoint!.nextOffset)
    expect(comparable.length).toBeGreaterThan(3)
    const compared = (blocks: FastBlock[]) => (version < 3 ? blocks.map(withoutDistinct) : blocks)
    expect(compared(rest.slice(-comparable.length))).toEqual(compared(comparable))
  })

  test('says which value is broken, and where', () => {
    const user = withName(changelog, 'user/')
    const ids = withName(changelog, 'ids/')
    const broken = (at: number, change: (value: Uint8Array) => Uint8Array) =>
      changelog.map((record, i) => (i === at ? { ...record, value: change(record.value!) } : record))
    for (const length of [0, 1, 2, 5, 20, changelog[user]!.value!.length - 1])
      expect(() => restored(broken(user, (value) => value.slice(0, length))), `${length} bytes`).toThrow(
        new RegExp(`^the value of 'user/.* at changelog offset ${user}: .*(broken|cut short)`),
      )
    expect(() => restored(broken(ids, (value) => value.slice(0, -1)))).toThrow(
      new RegExp(`^the value of 'ids/.* at changelog offset ${ids}: .*cut short`),
    )
    expect(() => restored(broken(user, (value) => Uint8Array.from([(stateVersion + 1) * 4, ...value.slice(1)])))).toThrow(
      new RegExp(`offset ${user}: state of version ${stateVersion + 1}; this program knows ${stateVersion}`),
    )
    expect(() => restored(broken(user, (value) => value.map(() => 0xff)))).toThrow(/broken/)
    const marks = withName(changelog, 'marks/')
    if (version < 3) return expect(marks).toBe(-1)
    const { length } = changelog[marks]!.value!
    for (const cut of [0, 1, 20, length - 1])
      expect(() => restored(broken(marks, (value) => value.slice(0, cut))), `${cut} bytes`).toThrow(
        new RegExp(`^the value of 'marks/.* at changelog offset ${marks}: .*(broken|cut short)`),
      )
    expect(() => restored(broken(marks, (value) => Uint8Array.from([9, ...value.slice(1)])))).toThrow(/marks of version 9; this program/)
  })
})

describe('a checkpoint record', () => {
  const known = { nextOffset: 7, clock: 5, operatorVersion: 1, partitionCount, settings, clean: true }
  const of = (value: unknown): OutRecord[] => [{ ...checkpointRecord(known), value: new TextEncoder().encode(JSON.stringify(value)) }]

  test('may say more, or less, than this version does', () => {
    expect(restored(of({ ...known, mood: 'good' })).checkpoint).toEqual(known)
    expect(restored(of({ nextOffset: 7, clock: 5, partitionCount })).checkpoint).toEqual({ ...known, settings: undefined, clean: false })
    expect(() => restored(of({ clock: 5 }))).toThrow(UnknownChangelog)
    expect(() => restored(of({ ...known, version: 99 }))).toThrow(/version 99; this program knows/)
  })

  test('keeps the settings, and those of a run must be the same, but for values behind the end of a list', () => {
    const { dimensions } = defaultSettings
    const withChannels = (channel: string[]) => ({ ...defaultSettings, dimensions: { ...dimensions, channel } })
    expect(settingsHindrance(defaultSettings, { ...defaultSettings })).toBeUndefined()
    expect(settingsHindrance(defaultSettings, withChannels([...dimensions.channel, 'tv']))).toBeUndefined()
    expect(settingsHindrance(defaultSettings, { ...defaultSettings, zone: 'UTC', emitMs: 1 })).toMatch(
      /emitMs was 5000 and is 1; zone was Asia\/Shanghai and is UTC.*--group/,
    )
    expect(settingsHindrance(defaultSettings, withChannels(dimensions.channel.toReversed()))).toMatch(
      /1. value of channel was organic and is store/,
    )
    expect(settingsHindrance(defaultSettings, withChannels(dimensions.channel.slice(0, -1)))).toMatch(/channel was store and is no more/)
  })

  test('over a longer list, what was other stays other', () => {
    const longer = {
      ...settings.dimensions,
      region: [...settings.dimensions.region, 'XX-1'],
      category: [...settings.dimensions.category, 'chess'],
    }
    const { operator } = restored(changelogOf(2), { dimensions: longer })
    const names = (slot: number) => operator.dictionaries.region.names[operator.lives.region(slot)]!
    const regions: string[] = Array.from({ length: operator.users.count() }, (_, slot) => names(slot))
    const byName = (a: string, b: string) => a.localeCompare(b)
    expect(regions.toSorted(byName)).toEqual(frozen.figures.map(({ region }) => region).toSorted(byName))
    expect(regions).toContain('other')
  })
})

test('a user of another partition is passed over, and an erased one is unknown, ids and all', () => {
  const changelog = changelogOf(2)
  const erased = withName(changelog, 'user/')
  const stranger = {
    key: new TextEncoder().encode(`user/${nastyUsers(partition, partitionCount).stranger}`),
    value: changelog[erased]!.value,
  }
  const before = restored(changelog)
  const after = restored([...changelog, stranger, { key: changelog[erased]!.key, value: null }])
  expect(after.passedOver).toBe(1)
  const id = changelog[erased]!.key!.slice(5)
  const has = ({ operator }: typeof after) => operator.state.users.find(id, 0, id.length, murmur2(id)) >= 0
  expect([has(before), has(after)]).toEqual([true, false])
  const ids = ({ operator }: typeof after) => operator.state.recentIds.size() + operator.state.lastingIds.size()
  const everyone = changelog.flatMap(({ key }) => (new TextDecoder().decode(key!).startsWith('user/') ? [{ key, value: null }] : []))
  expect(ids(before)).toBeGreaterThan(0)
  expect(ids(restored([...changelog, ...everyone]))).toBe(0)
  const total = (counts: ArrayLike<number>) => Array.from(counts).reduce((sum, count) => sum + count, 0)
  expect(total(after.operator.usersByRung)).toBe(total(before.operator.usersByRung) - 1)
})
