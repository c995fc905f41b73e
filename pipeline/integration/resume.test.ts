// A role that stops cleanly, and the next one: together they give what one alone gives.
import { expect, test } from 'vitest'
import { changelogOf, rejectedTopicOf, tierChangesTopicOf } from '../config/names.ts'
import { readChangelog } from '../roles/process/checkpoint.ts'
import { embeddedParts } from '../testing/embedded-parts.ts'
import { writeTraffic } from '../traffic/write-traffic.ts'
import { multiset } from './multiset.ts'
import { prepareStore, processAll } from './process-harness.ts'

const topic = 'resume'
const { engine, log } = await embeddedParts('resume')

test('stopped and started again, the role loses nothing, doubles nothing, and its last checkpoint is clean', async () => {
  const common = { seed: 3, eventsPerSecond: 0.05, users: 400, faults: 0.01 }
  const stopped = engine.store('resume_stopped')
  const whole = engine.store('resume_whole')
  await prepareStore(stopped)
  await prepareStore(whole)

  await writeTraffic(log, topic, { ...common, events: 4_000, fromMs: Date.UTC(2026, 9, 28) })
  await processAll({ topic, members: [{ log, store: stopped }] })
  await writeTraffic(log, topic, { ...common, events: 4_000, fromMs: 0 })
  await processAll({ topic, members: [{ log, store: stopped }] })
  // Nothing new: an owner comes and goes.
  await processAll({ topic, members: [{ log, store: stopped }] })
  await processAll({ topic, members: [{ log, store: whole }], group: 'alone' })

  for (const table of ['events', 'user_features', 'tier_changes', 'rejected_events']) {
    const rows = await multiset(whole, table)
    expect(rows.length, table).toBeGreaterThan(table === 'rejected_events' ? 5 : 50)
    expect(await multiset(stopped, table), table).toEqual(rows)
  }
  const owner = await log.claim({ group: 'reelpulse', topic, partition: 0, changelogTopic: changelogOf(topic) })
  const { checkpoint } = await readChangelog(owner.restore())
  await owner.close()
  expect(checkpoint).toMatchObject({ clean: true, partitionCount: 4 })

  // Rows, and no checkpoint that says under how many partitions they came to be: the rows say it themselves.
  for (const one of [topic, tierChangesTopicOf(topic), rejectedTopicOf(topic)]) await log.addPartitions(one, 6)
  await expect(processAll({ topic, members: [{ log, store: whole }], group: 'another' })).rejects.toThrow(
    /has no checkpoint, and rows of when the topic had 4 partitions; it has 6 now: .* Process the topic anew/,
  )
}, 240_000)
