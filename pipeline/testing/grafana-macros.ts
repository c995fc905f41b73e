// For tests: what Grafana and its official ClickHouse data source make of a query, by their documentation. Variables are filled in first, by Grafana; macros
// then, by the plug-in, with the range in whole seconds.
import { expect } from 'vitest'
import type { parameterValues } from '../../dashboards/dialect.ts'

/** RFC 3986: beyond encodeURIComponent also these. */
const percentEncoded = (text: string) =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)

export function expandGrafana(sql: string, { from_ms, to_ms, ...variables }: ReturnType<typeof parameterValues>): string {
  const seconds = (ms: number) => `toDateTime(${Math.floor(ms / 1000)})`
  const filled = sql.replaceAll(/\$\{(\w+):percentencode\}/g, (_, name: string) => {
    const value = (variables as Record<string, string>)[name]
    expect(value, name).toBeDefined()
    return percentEncoded(value!)
  })
  const expanded = filled
    .replaceAll(/\$__timeFilter\(([\w.]+)\)/g, `$1 >= ${seconds(from_ms)} AND $1 <= ${seconds(to_ms)}`)
    .replaceAll('$__fromTime', seconds(from_ms))
    .replaceAll('$__toTime', seconds(to_ms))
  expect(expanded).not.toContain('$')
  return expanded
}
