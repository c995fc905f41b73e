import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { embeddedLog } from '../../adapters/embedded-log.ts'

const bin = fileURLToPath(new URL('../bin.js', import.meta.url))

/** Records of each topic after `reelpulse simulate` with these words. */
async function simulated(words: readonly string[], topics: readonly string[]) {
  const data = mkdtempSync(join(tmpdir(), 'reelpulse-simulate-'))
  onTestFinished(() => rmSync(data, { recursive: true }))
  await promisify(execFile)(process.execPath, [bin, 'simulate', ...words, '--data', data])
  const log = await embeddedLog(join(data, 'log'))
  onTestFinished(log.close)
  return Promise.all(
    topics.map(async (topic) => {
      const found = await log.describeTopic(topic)
      return found === undefined
        ? undefined
        : { timestamps: found.timestamps, records: found.partitions.reduce((sum, { end }) => sum + end, 0) }
    }),
  )
}

test('signals come beside a span of log time, and only when asked for', async () => {
  const span = ['--topic', 'trial', '--span', '1h', '--rate', '20', '--from', '2026-11-01T00:00+08:00']
  const topics = ['trial', 'trial.customer-signals']
  const [behavior, signals] = await simulated([...span, '--signals'], topics)
  expect([behavior!.timestamps, signals!.timestamps]).toEqual(['create', 'create'])
  // A tick of each of four partitions, and some ratings, replies, reports and costs.
  expect(signals!.records).toBeGreaterThan(4 + 20)
  expect(await simulated(span, topics)).toEqual([behavior, undefined])
})

test('and beside live traffic, into the topic that the roles read, stamped by the log', async () => {
  const [, signals] = await simulated(['--for', '4s', '--rate', '20000', '--signals'], ['behavior-events', 'customer-signals'])
  expect(signals!.timestamps).toBe('append')
  expect(signals!.records).toBeGreaterThan(0)
})
