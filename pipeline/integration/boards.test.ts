// Runs the query of every panel on the real engine.
import { expect, test } from 'vitest'
import { boards } from '../../dashboards/all-boards.ts'
import { parameters, parameterValues } from '../../dashboards/dialect.ts'
import { panelQuery, variableSql } from '../../dashboards/panel-sql.ts'
import { annotationSql } from '../../dashboards/sql/alerts.ts'
import { signalViews } from '../../operators/board-views.ts'
import { signalTables } from '../../schemas/tables/catalogue.ts'
import { embeddedEngine } from '../testing/embedded-parts.ts'
import { clickhouseStore } from '../adapters/clickhouse-store.ts'

const { newStore, engine } = await embeddedEngine('boards', { fsync: 'nothing' })
await newStore('reelpulse')
await engine.store('reelpulse_customer_signals').migrate(signalTables, signalViews)
const reader = clickhouseStore({ url: engine.url(), ...engine.reader(), database: 'reelpulse' })
const values = parameterValues({ fromMs: Date.now() - 3.6e6, toMs: Date.now() }, {}, 'reelpulse_customer_signals')
test.each(boards.flatMap((b) => b.panels.map((p) => [`${b.uid} ${p.shows} ${p.title.en}`, p] as const)))('%s', async (_, p) => {
  const { sql } = panelQuery(p, parameters)
  try {
    await reader.query(sql, values)
  } catch (e) {
    throw new Error(`${(e as Error).message}\n${sql}`)
  }
})
test('more', async () => {
  for (const f of Object.values(annotationSql)) await reader.query(f(parameters), values)
  expect(await reader.query(variableSql('channel')!)).toEqual([])
})
