// `reelpulse migrate`: brings the store's tables and views to their form.
import { dataSettings, storeSettings, topicSettings } from '../../config/groups.ts'
import { pick } from '../../config/group.ts'
import { databaseOf, defaultGroup } from '../../config/names.ts'
import { defineCommand, exitGood } from '../command.ts'

export const command = defineCommand({
  name: 'migrate',
  summary: "bring the store's tables and views to their form",
  help: `Creates the topic's database, and the tables and views that are missing; adds missing columns; replaces views. It takes nothing
away, and does nothing where all is as it should be. Where a table cannot be brought to its form it says which and why.
\`start\` and \`process\` do this by themselves where they may.`,
  examples: [
    ['migrate', 'The embedded engine, or the server at CLICKHOUSE_URL.'],
    ['migrate --clickhouse-url http://clickhouse:8123 --topic behavior-events', 'A server; the password is in CLICKHOUSE_PASSWORD.'],
  ],
  settings: { data: dataSettings, topic: pick(topicSettings, ['topic']), store: storeSettings },
  json: true,
  async run({ settings, print, result }) {
    const [{ openStore }, { topicPlan }] = await Promise.all([import('../../adapters/open.ts'), import('../../start/topic-plan.ts')])
    const { tables, views } = topicPlan(settings.topic.topic, defaultGroup)
    const store = await openStore(settings)
    try {
      await store.migrate(tables, views)
    } finally {
      await store.close()
    }
    const database = databaseOf(settings.topic.topic)
    print(`${database}: ${tables.length} tables and ${views.length} views are in their form`)
    result({ database, tables: tables.map((table) => table.name), views: views.map((view) => view.name) })
    return exitGood
  },
})
