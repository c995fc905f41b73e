// The embedded engine and power cuts: by its system calls, an insert's rows are on disk, under their names, before it is acknowledged; and on a disk
// that forgets what was not synced it starts with all that was acknowledged, once, and takes the rest.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbeddedStore } from '../adapters/embedded-store.ts'
import { simulatedDisk, type Kept } from '../testing/simulated-disk.ts'
import { straceMissing, traceScript, type FileCall } from '../testing/syscalls.ts'
import { stream } from '../traffic/generator/random.ts'

const missing = await straceMissing()

/**
 * What need not outlive a cut: written anew at each start, or not needed (the list of tokens: recovery reads which parts are there, and tokens without
 * their part are forgotten at the start).
 */
const passing =
  /^data\/engine\/(engine\.xml|status|tmp|clickhouse_case_sensitivity_check\S*|store\/\S+\/deduplication_logs\/\S+\.txt)( \(its name\))?$|^data\/engine\.json/

const inserts = 6
const rowsOfEach = 50

describe.skipIf(missing !== undefined)(`the embedded engine and power cuts${missing === undefined ? '' : `: ${missing}`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'reelpulse-cut-'))
  const root = join(dir, 'disk')
  let calls: FileCall[]

  beforeAll(async () => {
    const script = `
      import { mkdirSync, writeSync } from 'node:fs'
      const { openEmbeddedStore } = await import(${JSON.stringify(new URL('../adapters/embedded-store.ts', import.meta.url).href)})
      const { rowsOf } = await import(${JSON.stringify(new URL('../testing/numbered-rows.ts', import.meta.url).href)})
      mkdirSync(${JSON.stringify(root)})
      writeSync(1, 'MARK begin\\n')
      const { store, close } = await openEmbeddedStore({ dataDir: ${JSON.stringify(join(root, 'data'))}, database: 'reelpulse' })
      await store.migrate([], [])
      await store.command('CREATE TABLE t (i UInt32, j UInt32) ENGINE = MergeTree PARTITION BY i % 2 ORDER BY j SETTINGS non_replicated_deduplication_window = 100')
      writeSync(1, 'MARK made\\n')
      for (let i = 0; i < ${inserts}; i++) {
        writeSync(1, 'MARK insert ' + i + '\\n')
        await store.insert({ table: 't', columns: ['i', 'j'], rows: rowsOf(i, ${rowsOfEach}), token: 'insert ' + i })
        writeSync(1, 'MARK acknowledged ' + i + '\\n')
        if (i === 2) {
          await store.command('OPTIMIZE TABLE t FINAL')
          writeSync(1, 'MARK merged\\n')
        }
      }
      await close()`
    calls = await traceScript(script, join(dir, 'trace'))
    calls = calls.slice(calls.findIndex((call) => call.does === 'mark' && call.text === 'begin'))
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  /** What a cut could take at each reply of the engine after the table was made, and at each mark from there on. */
  const unsyncedAtReplies = (from: readonly FileCall[]): { at: string; paths: string[] }[] => {
    const disk = simulatedDisk(root)
    const found: { at: string; paths: string[] }[] = []
    let last = ''
    for (const call of from) {
      disk.apply(call)
      if (call.does === 'mark') last = call.text
      const at = call.does === 'reply' ? `reply ${call.status} after ${last}` : last
      if (last !== 'begin' && (call.does === 'mark' || call.does === 'reply'))
        found.push({ at, paths: disk.unsynced().filter((path) => !passing.test(path)) })
    }
    return found
  }

  test("before the engine's reply, a part's files, its directory and its name are synced; a table's too, and a merged part's", () => {
    const found = unsyncedAtReplies(calls)
    for (let i = 0; i < inserts; i++) {
      expect(found.map(({ at }) => at)).toContain(`reply 200 after insert ${i}`)
      const [from, to] = ['insert', 'acknowledged'].map((does) =>
        calls.findIndex((call) => call.does === 'mark' && call.text === `${does} ${i}`),
      )
      const named = calls.slice(from, to).flatMap((call) => (call.does === 'rename' && call.from.includes('/tmp_insert_') ? [call.to] : []))
      expect(named, `insert ${i}`).toHaveLength(1)
    }
    // While an insert is under way, so that the check can fail, nothing is looked at.
    expect(found.filter(({ at, paths }) => !at.startsWith('insert') && paths.length > 0)).toEqual([])
  })

  test.each([
    ['of a file', /\/data\.bin$/, /\/data\.bin$/],
    ["of a table's directory", /\/store\/\w+\/[\w-]+$/, /_\d+_0 \(its name\)$/],
  ])('the check sees a sync that is missing: %s', (_, of, seen) => {
    const without = calls.filter((call) => !(call.does === 'end sync' && of.test(call.path)))
    expect(unsyncedAtReplies(without).find(({ at }) => at === 'acknowledged 0')!.paths).toContainEqual(expect.stringMatching(seen))
  })

  test('wherever the power is cut, the engine starts with whole inserts and every acknowledged one, and takes those that are not there', async () => {
    const { rowsOf } = await import('../testing/numbered-rows.ts')
    const seed = Number(process.env['SEED'] ?? 1)
    const { start, unit: chance } = stream()
    start(seed, 0)
    const disk = simulatedDisk(root)
    let [made, begun, acknowledged, cuts] = [false, 0, 0, 0]

    const cut = async (kept: Kept): Promise<void> => {
      const dataDir = join(dir, `image-${++cuts}`, 'data')
      disk.image(join(dataDir, '..'), kept)
      const { store, close } = await openEmbeddedStore({ dataDir, database: 'reelpulse' })
      const says = `SEED=${seed}, cut ${cuts}, after insert ${acknowledged}`
      try {
        const [{ there }] = (await store.query("SELECT count() AS there FROM system.tables WHERE database = 'reelpulse' AND name = 't'")) as [{ there: number }] // prettier-ignore
        if (there === 0) return expect(made, says).toBe(false)
        const count = () => store.query<{ i: number; rows: number }>('SELECT i, count() AS rows FROM t GROUP BY i ORDER BY i')
        const found = await count()
        for (const { i, rows } of found) expect({ i, rows }, says).toEqual({ i, rows: rowsOfEach })
        const present = new Set(found.map(({ i }) => i))
        for (let i = 0; i < acknowledged; i++) expect(present, says).toContain(i)
        // As a new owner does: what is there is not sent again, what is not is sent with its old token.
        const wanted = Array.from({ length: begun }, (__, i) => i)
        for (const i of wanted.filter((i) => !present.has(i)))
          await store.insert({ table: 't', columns: ['i', 'j'], rows: rowsOf(i, rowsOfEach), token: `insert ${i}` })
        expect(await count(), says).toEqual(wanted.map((i) => ({ i, rows: rowsOfEach })))
      } finally {
        await close()
        rmSync(join(dataDir, '..'), { recursive: true })
      }
    }

    for (const call of calls) {
      const isNaming = call.does === 'rename' && /\/tmp_(insert|merge)_/.test(call.from)
      disk.apply(call)
      if (call.does === 'mark') {
        if (call.text === 'made') made = true
        if (call.text.startsWith('insert')) begun++
        if (call.text.startsWith('acknowledged')) acknowledged++
        if (call.text.startsWith('acknowledged') || call.text === 'merged') await cut('synced only')
      } else if (isNaming && begun > 2) {
        // The token is written, the part named, and neither need be on disk: the token alone would make the next try a duplicate.
        await cut('bytes')
        await cut({ random: chance, tear: 512 })
      } else if (chance() < 4 / calls.length) await cut({ random: chance, tear: 4096 })
    }
    expect(acknowledged).toBe(inserts)
    expect(cuts).toBeGreaterThan(inserts + 5)
  }, 240_000)
})
