// A database has one writer: a topic as one group reads it. Whoever comes first is written down, and another is refused.
import { WrongSetting } from '../config/value.ts'
import type { Store } from '../ports/store.ts'

/**
 * Two groups on one topic would write every row twice, and topics whose names differ in punctuation alone (`a-b`, `a.b`) would share
 * their tables. Throws WrongSetting where the database is another's; its tables must be there.
 */
export async function beWriter(store: Store, topic: string, group: string): Promise<void> {
  // One statement, and the first row counts: of two that begin at once, one is refused, now or at its next start.
  await store.command(
    `INSERT INTO writers (topic, consumer_group, since) SELECT {topic:String}, {group:String}, now64(3) WHERE (SELECT count() FROM writers) = 0`,
    { topic, group },
  )
  await refuseOthers(store, topic, group)
}

/** The same of whoever only mends what the writer left: nobody is written down, and a database may be older than its table of writers. */
export async function asWriter(store: Store, topic: string, group: string): Promise<void> {
  const [found] = await store.query<{ tables: number }>(
    "SELECT count() AS tables FROM system.tables WHERE database = currentDatabase() AND name = 'writers'",
  )
  if (found!.tables > 0) await refuseOthers(store, topic, group)
}

async function refuseOthers(store: Store, topic: string, group: string): Promise<void> {
  const [first] = await store.query<{ topic: string; consumer_group: string }>(
    'SELECT topic, consumer_group FROM writers ORDER BY since, topic, consumer_group LIMIT 1',
  )
  if (first === undefined) return
  if (first.topic !== topic)
    throw new WrongSetting([
      {
        where: '--topic or REELPULSE_TOPIC',
        got: topic,
        wants: `another name: its database holds the rows of topic ${first.topic}, whose name differs only in punctuation`,
      },
    ])
  if (first.consumer_group !== group)
    throw new WrongSetting([
      {
        where: '--group or REELPULSE_GROUP',
        got: group,
        wants: `${first.consumer_group}, the group that writes this database: a second one would write every row twice. To process the topic anew, stop all processes and drop the database first`,
      },
    ])
}
