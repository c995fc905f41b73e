import { expect, test } from 'vitest'
import { changelogOf, databaseOf, readableDatabasesOf, rejectedTopicOf, tierChangesTopicOf } from './names.ts'

test.each([
  ['behavior-events', 'reelpulse', 'behavior-events.rejected', 'tier-changes', 'reelpulse.behavior-events.user-state'],
  ['shopping', 'reelpulse_shopping', 'shopping.rejected', 'shopping.tier-changes', 'reelpulse.shopping.user-state'],
  ['a.b--c_d', 'reelpulse_a_b_c_d', 'a.b--c_d.rejected', 'a.b--c_d.tier-changes', 'reelpulse.a.b--c_d.user-state'],
])('topic %s has its own database and topics', (topic, database, rejected, tierChanges, changelog) => {
  expect([databaseOf(topic), rejectedTopicOf(topic), tierChangesTopicOf(topic), changelogOf(topic)]).toEqual([
    database,
    rejected,
    tierChanges,
    changelog,
  ])
})

test.each([
  ['behavior-events', ['reelpulse', 'reelpulse_customer_signals']],
  ['customer-signals', ['reelpulse_customer_signals', 'reelpulse']],
  ['shopping', ['reelpulse_shopping', 'reelpulse_shopping_customer_signals']],
  ['shopping.customer-signals', ['reelpulse_shopping_customer_signals', 'reelpulse_shopping']],
])('who reads topic %s may read behaviour and the signals beside it', (topic, databases) => {
  expect(readableDatabasesOf(topic)).toEqual(databases)
})
