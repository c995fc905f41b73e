// The embedded log and power cuts: by its system calls, everything is synced before it is acknowledged; and on a disk that loses, keeps or tears
// what was not synced, it opens with all that was acknowledged, once.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { embeddedLog } from '../adapters/embedded-log.ts'
import { readSome } from '../testing/log-contract.ts'
import { simulatedDisk, type Kept } from '../testing/simulated-disk.ts'
import { straceMissing, traceScript, type FileCall } from '../testing/syscalls.ts'
import { stream } from '../traffic/generator/random.ts'

const missing = await straceMissing()

/** What need not outlive a cut: whose lock it was, and SQLite's index of the write-ahead log, which it makes anew. */
const passing = /\/(lock\.db|lock\.db-journal|holder\.json|log\.db-shm)( \(its name\))?$/

describe.skipIf(missing !== undefined)(`the embedded log and power cuts${missing === undefined ? '' : `: ${missing}`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'reelpulse-cut-'))
  const root = join(dir, 'disk')
  let calls: FileCall[]

  beforeAll(async () => {
    // Three runs of the program: the first makes the directory; in the second, SQLite moves its write-ahead log into the file between two appends
    // (16 MB of it) and begins it again; each ends with a checkpoint too.
    const script = `
      import { mkdirSync, writeSync } from 'node:fs'
      const { embeddedLog } = await import(${JSON.stringify(new URL('../adapters/embedded-log.ts', import.meta.url).href)})
      mkdirSync(${JSON.stringify(root)})
      writeSync(1, 'MARK begin\\n')
      let i = 0
      for (const [appends, bytes] of [[4, 10], [36, 500_000], [4, 10_000]]) {
        const log = await embeddedLog(${JSON.stringify(join(root, 'data', 'log'))}, { maintainEveryMs: 0 })
        await log.createTopic({ topic: 't', partitions: 2, timestamps: 'append' })
        if (i === 0) writeSync(1, 'MARK made\\n')
        for (const end = i + appends; i < end; i++) {
          const value = new TextEncoder().encode(i + ' ' + 'x'.repeat(bytes))
          writeSync(1, 'MARK append ' + i + '\\n')
          await log.append('t', [0, 1].map((partition) => ({ key: null, value, partition })))
          writeSync(1, 'MARK acknowledged ' + i + '\\n')
        }
        await log.close()
      }`
    calls = await traceScript(script, join(dir, 'trace'))
    calls = calls.slice(calls.findIndex((call) => call.does === 'mark' && call.text === 'begin'))
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  const unsyncedAtAcknowledgements = (from: readonly FileCall[]): string[][] => {
    const disk = simulatedDisk(root)
    const found: string[][] = []
    for (const call of from) {
      disk.apply(call)
      if (call.does === 'mark' && /^(made|acknowledged)/.test(call.text)) found.push(disk.unsynced().filter((path) => !passing.test(path)))
    }
    return found
  }

  test('at every acknowledgement all bytes and names of the log have been synced, the directories made for it too', () => {
    const wal = (call: FileCall) => call.does === 'write' && call.path.endsWith('/log.db-wal')
    const isMark = (call: FileCall, text: string) => call.does === 'mark' && call.text === text
    for (let i = 0; i < 44; i++) {
      const [from, to] = [`append ${i}`, `acknowledged ${i}`].map((text) => calls.findIndex((call) => isMark(call, text)))
      expect(calls.slice(from, to).filter(wal).length, `append ${i}`).toBeGreaterThan(0)
    }
    expect(unsyncedAtAcknowledgements(calls)).toEqual(Array.from({ length: 45 }, () => []))
  })

  test('the check sees a sync that is missing', () => {
    const without = calls.filter((call) => !(call.does === 'end sync' && call.path.endsWith('-wal')))
    expect(unsyncedAtAcknowledgements(without).at(-1)).toContain('data/log/log.db-wal')
  })

  test('wherever the power is cut, the log opens with whole appends, in order, and every acknowledged one', async () => {
    const seed = Number(process.env['SEED'] ?? 1)
    const { start, unit: chance } = stream()
    start(seed, 0)
    const disk = simulatedDisk(root)
    let [begun, acknowledged, cuts, beyond] = [0, 0, 0, 0]

    const cut = async (kept: Kept): Promise<void> => {
      const image = join(dir, `image-${++cuts}`)
      disk.image(image, kept)
      const log = await embeddedLog(join(image, 'data', 'log'), { maintainEveryMs: 0 })
      const says = `SEED=${seed}, cut ${cuts}, after append ${acknowledged}`
      const topic = await log.describeTopic('t')
      if (topic === undefined) expect(acknowledged, says).toBe(0)
      else {
        const there = topic.partitions[0]!.end
        const values = []
        for (const [p, { end }] of topic.partitions.entries())
          values.push((await readSome(log, 't', p, 0, end)).map(({ value }) => Number.parseInt(value!, 10)))
        expect(there, says).toBeGreaterThanOrEqual(acknowledged)
        expect(there, says).toBeLessThanOrEqual(begun)
        const inOrder = Array.from({ length: there }, (_, i) => i)
        expect(values, says).toEqual([inOrder, inOrder])
        if (there > acknowledged) beyond++
        // It goes on from there.
        await log.append('t', [{ key: null, value: new TextEncoder().encode(`${there} next`), partition: 0 }])
        expect((await log.describeTopic('t'))?.partitions, says).toEqual([{ begin: 0, end: there + 1 }, { begin: 0, end: there }]) // prettier-ignore
      }
      await log.close()
      rmSync(image, { recursive: true })
    }

    for (const call of calls) {
      disk.apply(call)
      if (call.does === 'mark') {
        if (call.text.startsWith('append')) begun++
        if (!call.text.startsWith('acknowledged')) continue
        acknowledged++
        if (acknowledged <= 4 || acknowledged % 10 === 0) await cut('synced only')
      } else if (chance() < 14 / calls.length) {
        await cut('synced only')
        await cut({ random: chance, tear: 512 })
        await cut({ random: chance, tear: 4096 })
      }
    }
    expect(acknowledged).toBe(44)
    expect(cuts).toBeGreaterThan(25)
    // Some cuts came between the sync and its acknowledgement.
    expect(beyond).toBeGreaterThan(0)
  }, 240_000)
})
