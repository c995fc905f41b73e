import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { detectMetrics } from '../../metrics/detect-metrics.ts'
import { processMetrics } from '../../metrics/process-metrics.ts'
import { metrics } from '../../metrics/registry.ts'
import { serveMetrics } from '../../metrics/serve-metrics.ts'
import { missingProgram } from '../../testing/installed.ts'

type Rule = { alert: string; expr: string; annotations: Record<string, string>; labels: Record<string, string> }
type UnitTest = { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }

const folder = fileURLToPath(new URL('.', import.meta.url))
const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8')
const rules = (parse(read('rules.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules)
const names = rules.map(({ alert }) => alert)

const run = (program: string, ...args: string[]) => promisify(execFile)(program, args, { cwd: folder })

const promtool = await missingProgram('promtool', 'prometheus')
describe.skipIf(promtool)(`promtool${promtool === undefined ? '' : ` (${promtool})`}`, () => {
  test('the rules and the configuration are such that Prometheus takes them', async () => {
    expect((await run('promtool', 'check', 'rules', 'rules.yaml')).stdout).toContain(`SUCCESS: ${rules.length} rules found`)
    expect((await run('promtool', 'check', 'config', 'prometheus.yaml')).stdout).toContain('SUCCESS')
  })

  test('every rule fires when it should, and not when it should not', async () => {
    expect((await run('promtool', 'test', 'rules', 'rules.test.yaml')).stdout).toContain('SUCCESS')
  })
})

const amtool = await missingProgram('amtool', 'prometheus-alertmanager')
test.skipIf(amtool)(`the example of routes is such that Alertmanager takes it${amtool === undefined ? '' : ` (${amtool})`}`, async () => {
  expect((await run('amtool', 'check-config', 'alertmanager.yaml')).stdout).toContain('SUCCESS')
  const routed = async (...labels: string[]) =>
    (await run('amtool', 'config', 'routes', 'test', '--config.file=alertmanager.yaml', ...labels)).stdout.trim()
  expect(await routed('alertname=KpiAlert', 'severity=critical')).toBe('on-call')
  expect(await routed('alertname=KpiAlert', 'severity=warning')).toBe('board')
  expect(await routed('alertname=ReviewOverdue', 'severity=warning')).toBe('owners')
})

test('every rule has a unit test in which it fires, and one in which it does not', () => {
  const tests = (parse(read('rules.test.yaml')) as { tests: UnitTest[] }).tests.flatMap((one) => one.alert_rule_test)
  for (const name of names)
    for (const count of [0, 1])
      expect(
        tests.filter(({ alertname, exp_alerts: alerts }) => alertname === name && alerts.length === count),
        name,
      ).toHaveLength(1)
})

test('every metric that a rule names is one of ours', async () => {
  const { registry } = metrics(() => Promise.resolve(true))
  processMetrics({ registry, now: Date.now, status: () => [], ends: () => [], isLive: () => true })
  detectMetrics({ registry, now: Date.now })
  serveMetrics({ registry })
  const kinds = new Map((await registry.getMetricsAsJSON()).map(({ name, type }) => [name, String(type)]))
  const ours = new Set(
    [...kinds].flatMap(([name, kind]) => (kind === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name])),
  )
  const used = rules.flatMap(({ expr, annotations }) =>
    [...`${expr} ${annotations['description']}`.matchAll(/\breelpulse_\w+/g)].map(([name]) => name),
  )
  expect(used.length).toBeGreaterThan(rules.length - 2)
  expect(used.filter((name) => !ours.has(name))).toEqual([])
})

test('the playbook has an entry for each rule, and none for another; each rule says where', () => {
  const page = readFileSync(new URL('../../../docs/guide/playbook.md', import.meta.url), 'utf8')
  const entries = [...page.matchAll(/^## (Reelpulse\w+)$/gm)].map((match) => match[1]!)
  expect(entries).toEqual(names)
  for (const { alert, annotations } of rules) expect(annotations['playbook']).toBe(`docs/guide/playbook.md#${alert.toLowerCase()}`)
  for (const entry of page.split(/^## /m).slice(1)) expect(entry, entry.slice(0, 40)).toMatch(/Means: .[\s\S]*Look: .[\s\S]*Do: ./)
})
