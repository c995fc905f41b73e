// What the embedded log costs: `node pipeline/bench/embedded-log.ts [records] [--json]`. Records of 1 KB, appended 1,000 at a time.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OutRecord } from '../ports/log.ts'
import { embeddedLog } from '../adapters/embedded-log.ts'

const records = Number(process.argv.slice(2).find((argument) => /^\d+$/.test(argument)) ?? 100_000)
const batch = 1_000
const commits = 200

const directory = mkdtempSync(join(tmpdir(), 'reelpulse-bench-log-'))
const log = await embeddedLog(directory)
const figures: Record<string, number> = { records }

async function measure(name: string, count: number, work: () => Promise<void>): Promise<void> {
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  await work()
  const { user, system } = process.cpuUsage(cpu)
  figures[`${name}_us`] = round(((performance.now() - startMs) * 1_000) / count)
  figures[`${name}_cpu_us`] = round((user + system) / count)
}

const round = (value: number) => Math.round(value * 100) / 100

try {
  await log.createTopic({ topic: 'bench', partitions: 1, timestamps: 'append' })
  const value = Uint8Array.from({ length: 1_000 }, (_, index) => (index * 7919) & 255)
  const key = new TextEncoder().encode('user-000000000')
  const run: OutRecord[] = Array.from({ length: batch }, () => ({ key, value }))
  await measure('append_record', records, async () => {
    for (let done = 0; done < records; done += batch) await log.append('bench', run)
  })
  await measure('commit_of_one', commits, async () => {
    for (let done = 0; done < commits; done++) await log.append('bench', [{ key, value }])
  })
  await measure('commit_of_one_of_50_at_once', commits, async () => {
    for (let done = 0; done < commits; done += 50) {
      await Promise.all(Array.from({ length: 50 }, () => log.append('bench', [{ key, value }])))
    }
  })
  await measure('read_record', records, async () => {
    const reader = await log.read('bench', 0, 0)
    let bytes = 0
    for (let batchRead = await reader.next(0); batchRead.count > 0; batchRead = await reader.next(0)) {
      for (let i = 0; i < batchRead.count; i++) bytes += batchRead.values[i]?.length ?? 0
    }
    if (bytes !== (records + 2 * commits) * value.length) throw new Error(`read ${bytes} bytes`)
    await reader.close()
  })
} finally {
  await log.close()
  rmSync(directory, { recursive: true })
}

if (process.argv.includes('--json')) console.log(JSON.stringify(figures))
else for (const name in figures) console.log(`${name.padEnd(34)} ${figures[name]}`)
